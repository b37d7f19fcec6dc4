"""Since when each fault stands and when somebody saw it, also through a restart."""

from collections.abc import Callable, Set
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from hardware import HardwareError
from verified_alloc import whole_file
from verified_alloc.control.fault_kinds import Fault, name_of
from verified_alloc.control.on_disk import OnDisk
from verified_alloc.errors import BadInput, reason, shown
from verified_alloc.station.model import Station

Since = dict[Fault, float | None]
"""Unix time; None: it stood before anybody could see it begin."""


class _Kept(NamedTuple):
    since_s: Since
    acknowledged_s: dict[str, float]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    since_s: list[tuple[Fault, float | None]]
    acknowledged_s: dict[str, float]


def beside(faults: Path) -> Path:
    """Where this is of the station whose latched faults are there."""
    return faults.with_name(f"{faults.stem}.seen.json")


class FaultHistory:
    """Of the faults that are latched now. `keep` has it outlive the process."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._begun = False
        self.since_s: Since = {}
        self.acknowledged_s: dict[str, float] = {}
        """By the name that it is cleared by."""
        self._on_disk: OnDisk[_Kept] | None = None

    def keep(self, path: Path, report: Callable[[str], None], disk: Executor) -> None:
        """In this file from now on, which may hold what was. One that cannot be read holds nothing:
        it says when, never what is latched."""
        try:
            stored = _File.model_validate_json(path.read_text(encoding="utf-8"))
            self.since_s, self.acknowledged_s = dict(stored.since_s), stored.acknowledged_s
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is damaged"
            report(f"{path}: cannot be read ({why}): since when faults stand is not known")

        def save(kept: _Kept) -> None:
            told = _File(since_s=list(kept.since_s.items()), acknowledged_s=kept.acknowledged_s)
            try:
                whole_file.write(path, told.model_dump_json())
            except OSError as error:
                raise HardwareError(f"{path}: {reason(error)}") from error

        self._on_disk = OnDisk(str(path), "since when faults stand", save, report, disk, None)

    def watch(self, latched: Set[Fault], now_s: float) -> None:
        """See a scan. What has been acknowledged and gets worse is to be acknowledged again."""
        if not self._begun or self.since_s.keys() != latched:
            if self._begun:
                for fault in latched - self.since_s.keys():
                    self.acknowledged_s.pop(name_of(self._station, fault), None)
            self.since_s = {
                fault: self.since_s.get(fault, now_s if self._begun else None) for fault in latched
            }
            names = {name_of(self._station, fault) for fault in latched}
            self.acknowledged_s = {
                name: at_s for name, at_s in self.acknowledged_s.items() if name in names
            }
            self._begun = True
        if self._on_disk is not None:
            self._on_disk.see_to(_Kept(self.since_s, dict(self.acknowledged_s)))

    def acknowledge(self, name: str, now_s: float) -> str:
        """Somebody has seen it; it goes on standing."""
        if not name or name not in {name_of(self._station, fault) for fault in self.since_s}:
            raise BadInput(f"fault {shown(name)}: allowed is the id of a latched fault")
        self.acknowledged_s.setdefault(name, now_s)
        return f"{name} is acknowledged; it still stands"
