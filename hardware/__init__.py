"""The wires: expanders on I2C, lines on GPIO, and a simulated cabinet behind the same seams."""


class HardwareError(RuntimeError):
    """Something on the wires does not do what it must."""


class DeviceLost(HardwareError):
    """A device that the station cannot run without is absent, busy or gone."""


class MissingExtra(HardwareError):
    """A library is not installed that these wires need; the message has the pip line."""
