"""What must outlive the process: the latched faults.

A fault is on disk (written beside, flushed, renamed over) before anybody is told of it, and is read
again at the next start.
"""

import json
from pathlib import Path
from typing import NamedTuple

from verified_alloc import whole_file
from verified_alloc.errors import BadInput

Pair = tuple[int, int]


class Latched(NamedTuple):
    """Faults that stay until somebody clears them; guns, modules and pairs are counted from 1,
    expanders by their position in the station's list, from 0."""

    welded: frozenset[Pair] = frozenset()
    failed_open: frozenset[Pair] = frozenset()
    dead: frozenset[int] = frozenset()
    """Modules that do not report on although enabled."""
    stuck_on: frozenset[Pair] = frozenset()
    """Modules that do not switch off, with the gun they are on."""
    expanders: frozenset[int] = frozenset()
    """Expanders that do not answer or lost their configuration."""
    emergency_stop: bool = False
    guns_out: frozenset[int] = frozenset()
    """Guns that a person has taken out of service."""
    modules_out: frozenset[int] = frozenset()
    stop_told: bool = False
    """A person has stopped the station, not by the button."""
    runs_on: frozenset[int] = frozenset()
    """Modules that report on although disabled, with no contactor closed."""
    enables_high: frozenset[int] = frozenset()
    """Modules whose enable line is held high by something else."""


class FaultLatch:
    """The file of the latched faults; without a path they last as long as the process."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def load(self) -> Latched:
        """The faults latched so far. A file that is damaged is bad input: what it held is unknown,
        and to run as if it held nothing would forget a weld."""
        if self.path is None:
            return Latched()
        if not self.path.exists():
            self._try_out()
            return Latched()
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            return Latched(
                welded=_pairs(stored["welded"]),
                failed_open=_pairs(stored["failed_open"]),
                dead=frozenset(map(int, stored["dead"])),
                stuck_on=_pairs(stored["stuck_on"]),
                expanders=frozenset(map(int, stored["expanders"])),
                emergency_stop=bool(stored["emergency_stop"]),
                guns_out=frozenset(map(int, stored.get("guns_out", ()))),
                modules_out=frozenset(map(int, stored.get("modules_out", ()))),
                stop_told=bool(stored.get("stop_told", False)),
                runs_on=frozenset(map(int, stored.get("runs_on", ()))),
                enables_high=frozenset(map(int, stored.get("enables_high", ()))),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(
                f"fault file {self.path}: cannot be read ({error!r}); "
                "inspect the contactors, then remove the file"
            ) from error

    def _try_out(self) -> None:
        """Write the first file now: at the first fault it would be too late to find that it cannot
        be written."""
        assert self.path is not None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.save(Latched())
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise BadInput(
                f"fault file {self.path}: {reason}; allowed is a file that can be written"
            ) from error

    def save(self, latched: Latched) -> None:
        """On disk when this returns; OSError if it cannot be written."""
        if self.path is None:
            return
        stored = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in latched._asdict().items()
        }
        whole_file.write(self.path, json.dumps(stored))


def _pairs(stored: object) -> frozenset[Pair]:
    if not isinstance(stored, list):
        raise TypeError(f"{stored!r}: must be a list of [gun, module]")
    return frozenset((int(gun), int(module)) for gun, module in stored)
