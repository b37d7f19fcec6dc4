"""The one error for what comes from outside and cannot be used."""

from decimal import Decimal


class BadInput(ValueError):
    """A file, an option or an argument that is refused.

    The message is one line and names the thing, the value and what is allowed. The command line
    prints it to stderr and exits with 2.
    """


def shown(value: object) -> str:
    """A refused value in such a message: as it was written, short, on one line."""
    try:
        text = str(value) if isinstance(value, Decimal) else repr(value)
    except ValueError:  # an int beyond what Python turns into digits
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
