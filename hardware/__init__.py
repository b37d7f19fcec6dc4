"""The wires: expanders on I2C, lines on GPIO, and a simulated cabinet behind the same seams."""


class VerifiedAllocError(Exception):
    """The base of every error that is ours, here since this package stands on the ground; the whole
    family is in `verified_alloc/errors.py`."""

    exit_code = 3
    """How the command ends that is left by it."""


class HardwareError(VerifiedAllocError, RuntimeError):
    """Something on the wires does not do what it must."""


class DeviceLost(HardwareError):
    """A device that the station cannot run without is absent, busy or gone."""


class MissingExtra(HardwareError):
    """A library is not installed that these wires need; the message has the pip line."""

    exit_code = 2
