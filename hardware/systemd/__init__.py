"""The station as a service of systemd: the unit, filled in."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path


def unit(
    python: Path,
    station: Path,
    patience_s: int,
    watchdog_device: str = "",
    secrets: Sequence[str] = (),
) -> str:
    """The unit that runs this station file by that interpreter. A start or an end may take
    `patience_s`. `secrets` are files that only their owner and group read; the service is in the
    group that they are given."""
    text = (files(__name__) / "verified-alloc.service").read_text(encoding="utf-8")
    # Devices and files that belong to root; the "+" runs these lines as root.
    shared = [*([watchdog_device] if watchdog_device else []), *secrets]
    lines = [f"ExecStartPre=+/bin/chgrp i2c {path}" for path in shared]
    lines += [f"ExecStartPre=+/bin/chmod g+r {path}" for path in secrets]
    if watchdog_device:
        lines += [
            f"ExecStartPre=+/bin/chmod g+w {watchdog_device}",
            f"DeviceAllow={watchdog_device} rw",
        ]
    for mark, value in (
        ("@PYTHON@", str(python)),
        ("@STATION@", str(station)),
        ("@PATIENCE_S@", str(patience_s)),
        ("@SHARED@\n", "".join(f"{line}\n" for line in lines)),
    ):
        text = text.replace(mark, value)
    return text
