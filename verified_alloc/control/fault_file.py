"""What must outlive the process: the latched faults.

A fault is on disk (written beside, flushed, renamed over) before anybody is told of it, as long as
the disk takes it, and is read again at the next start. Its room on the disk is taken at the first
start: a full disk takes it, too.
"""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from hardware import HardwareError
from verified_alloc import whole_file
from verified_alloc.control.fault_kinds import KINDS, NUMBERS, Fault, in_order
from verified_alloc.errors import BadInput, reason, shown

VERSION = 2
ROOM_BYTES = 1 << 16
"""More than every fault at once of a station on six buses."""
UNKNOWN = frozenset([Fault("stopped")])
"""Latched where nobody knows what was: everything is off until a person has looked."""
FIRST_VERSION = {
    "welded": "welded",
    "failed_open": "failed_open",
    "dead": "dead",
    "stuck_on": "stuck_on",
    "expanders": "expander_lost",
    "emergency_stop": "emergency_stop",
}
"""By its name there, the kind: the first version has no number, and a list for each name."""
ADDED_LATER = {
    "guns_out": "gun_out",
    "modules_out": "module_out",
    "stop_told": "stopped",
    "runs_on": "runs_on",
    "enables_high": "enable_high",
}
"""The same; the oldest files lack these."""


class _Unknown(Exception):
    """Only a later version of this program knows what the file holds."""


class FaultFile:
    """The file of the latched faults; without a path they last as long as the process."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.lost = ""

    def load(self) -> frozenset[Fault]:
        """The faults latched so far. Where a file was and cannot be read, what it held is unknown,
        and to run as if it held nothing would forget a weld: then it is `UNKNOWN`, and `lost` says
        why. One of a later version of this program is bad input."""
        if self.path is None:
            return frozenset()
        try:
            return _faults(json.loads(self.path.read_text(encoding="utf-8")))
        except _Unknown as unknown:
            raise BadInput(
                f"fault file {self.path}: {unknown}; install the version that wrote it, or inspect"
                f" the station, then remove the file and {whole_file.spare(self.path).name}"
            ) from None
        except FileNotFoundError:
            if not whole_file.spare(self.path).exists():
                self._begin(self.path)
                return frozenset()
            said = f"is gone, and {whole_file.spare(self.path).name} is still there"
        except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
            raise self._refused(error) from error
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            said = f"cannot be read ({shown(error)})"
            with suppress(OSError):
                shutil.copyfile(self.path, self.path.with_name(self.path.name + ".damaged"))
        self._lose(said)
        return UNKNOWN

    def take_over(self) -> frozenset[Fault]:
        """The same, for whoever latches more, and written again: one that cannot be written may
        lack what was latched last, and that is unknown, too."""
        faults = self.load()
        try:
            self._write(faults)
        except OSError as error:
            self._lose(f"cannot be written ({reason(error)})")
            return faults | UNKNOWN
        return faults

    def _lose(self, said: str) -> None:
        self.lost = (
            f"fault file {self.path}: {said}, what was latched is not known; everything is off"
            " until the contactors are inspected and the stop is cleared"
        )

    def _begin(self, path: Path) -> None:
        """Write the first file now: at the first fault it would be too late to find that it cannot
        be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(frozenset())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> BadInput:
        return BadInput(
            f"fault file {self.path}: {reason(error)}; allowed is a file that can be written"
        )

    def save(self, faults: frozenset[Fault]) -> None:
        """On disk when this returns; `HardwareError` if it cannot be written."""
        try:
            self._write(faults)
        except OSError as error:
            raise HardwareError(f"fault file {self.path}: {reason(error)}") from error

    def _write(self, faults: frozenset[Fault]) -> None:
        stored = [
            {key: value for key, value in fault._asdict().items() if value is not None}
            for fault in in_order(faults)
        ]
        if self.path is not None:
            text = json.dumps({"version": VERSION, "faults": stored})
            whole_file.write(self.path, text, ROOM_BYTES)


def _faults(stored: Any) -> frozenset[Fault]:
    if not isinstance(stored, dict):
        raise TypeError("not a table of faults")
    if "version" not in stored:
        stored = _second_version(stored)
    version = stored["version"]
    if type(version) is not int or version < VERSION:
        raise ValueError(f"version {shown(version)}")
    if version > VERSION:
        raise _Unknown(f"version {shown(version)} is newer than {VERSION}, the newest known here")
    if stored.keys() != {"version", "faults"}:
        raise ValueError(f"keys {', '.join(map(shown, stored))}")
    return frozenset(map(_fault, _list(stored["faults"])))


def _list(stored: Any) -> list[Any]:
    if not isinstance(stored, list):
        raise TypeError(f"{shown(stored)} is no list")
    return stored


def _fault(stored: Any) -> Fault:
    if not isinstance(stored, dict):
        raise TypeError(f"fault {shown(stored)}")
    numbers = {name: number for name, number in stored.items() if name != "kind"}
    kind = stored["kind"]
    if kind not in KINDS:
        raise _Unknown(f"kind of fault {shown(kind)} is not known here")
    if numbers.keys() != set(NUMBERS[KINDS[kind].of]) or {*map(type, numbers.values())} - {int}:
        raise ValueError(f"fault {shown(stored)}")
    return Fault(kind, **numbers)


def _second_version(first: Any) -> dict[str, Any]:
    """A file of the first version as the second would have it."""
    faults: list[dict[str, Any]] = []
    names = FIRST_VERSION | {name: kind for name, kind in ADDED_LATER.items() if name in first}
    if unknown := sorted(first.keys() - names.keys()):
        raise _Unknown(f"kind of fault {shown(unknown[0])} is not known here")
    for name, kind in names.items():
        parts = NUMBERS[KINDS[kind].of]
        which = first[name]
        if len(parts) == 0:
            which = {True: [()], False: []}[which]
        elif len(parts) == 1:
            which = [(number,) for number in _list(which)]
        else:
            which = [_list(pair) for pair in _list(which)]
        faults += [{"kind": kind, **dict(zip(parts, one, strict=True))} for one in which]
    return {"version": VERSION, "faults": faults}
