"""The station as a service of systemd: the unit, filled in."""

from importlib.resources import files
from pathlib import Path


def unit(python: Path, station: Path, watchdog_device: str = "") -> str:
    """The unit that runs this station file by that interpreter."""
    text = (files(__name__) / "verified-alloc.service").read_text(encoding="utf-8")
    watchdog = ""
    if watchdog_device:
        # udev leaves it to root; the "+" runs these as root.
        watchdog = (
            f"ExecStartPre=+/bin/chgrp i2c {watchdog_device}\n"
            f"ExecStartPre=+/bin/chmod g+w {watchdog_device}\n"
            f"DeviceAllow={watchdog_device} rw\n"
        )
    for mark, value in (
        ("@PYTHON@", str(python)),
        ("@STATION@", str(station)),
        ("@WATCHDOG@\n", watchdog),
    ):
        text = text.replace(mark, value)
    return text
