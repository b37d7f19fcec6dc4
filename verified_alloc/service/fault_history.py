"""Since when each fault stands and when somebody saw it: kept as long as the scan runs."""

from collections.abc import Set

from verified_alloc.control.fault_kinds import Fault, name_of
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.model import Station


class FaultHistory:
    """Of the faults that are latched now."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._begun = False
        self.since_s: dict[Fault, float | None] = {}
        """Unix time; None: it stood before the start."""
        self.acknowledged_s: dict[str, float] = {}
        """By the name that it is cleared by."""

    def watch(self, latched: Set[Fault], now_s: float) -> None:
        """See a scan. What has been acknowledged and gets worse is to be acknowledged again."""
        if self._begun and self.since_s.keys() == latched:
            return
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

    def acknowledge(self, name: str, now_s: float) -> str:
        """Somebody has seen it; it goes on standing."""
        if not name or name not in {name_of(self._station, fault) for fault in self.since_s}:
            raise BadInput(f"fault {shown(name)}: allowed is the id of a latched fault")
        self.acknowledged_s.setdefault(name, now_s)
        return f"{name} is acknowledged; it still stands"
