"""The one error for what comes from outside and cannot be used."""


class BadInput(ValueError):
    """A file, an option or an argument that is refused.

    The message is one line and names the thing, the value and what is allowed. The command line
    prints it to stderr and exits with 2.
    """
