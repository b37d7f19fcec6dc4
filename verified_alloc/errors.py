"""The errors that are ours, all under `VerifiedAllocError`, and how a command ends that they leave.

    BadInput        2  what comes from outside and cannot be used
    HardwareError   3  something on the wires does not do what it must
    DeviceLost      3  of these: a device is absent, busy or gone
    MissingExtra    2  of these: a library is not installed
    NoStation       3  no running station answers (`service/client.py`)
    WorkLost        3  the workers of a study are gone (`study/workers.py`)

Caught inside, and no command ends by them: NoAnswer and NotYet of a solver
(`decide/policies/problem.py`), Busy of a scan that does not answer (`service/scan_link.py`),
a topic that is another station's is Claimed (`service/mqtt_claim.py`).
"""

from decimal import Decimal

from hardware import DeviceLost, HardwareError, MissingExtra, VerifiedAllocError

__all__ = [
    "BadInput",
    "DeviceLost",
    "HardwareError",
    "MissingExtra",
    "VerifiedAllocError",
    "reason",
    "shown",
]


class BadInput(VerifiedAllocError, ValueError):
    """A file, an option or an argument that is refused.

    The message is one line and names the thing, the value and what is allowed. The command line
    prints it to stderr and exits with 2.
    """

    exit_code = 2


def reason(error: OSError) -> str:
    """Why the operating system refused, in a few words."""
    return (error.strerror or type(error).__name__).lower()


def shown(value: object) -> str:
    """A refused value in such a message: as it was written, short, on one line."""
    try:
        text = str(value) if isinstance(value, Decimal) else repr(value)
    except ValueError:  # an int beyond what Python turns into digits
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
