"""What becomes of a station: followed scan by scan until its state is one from which the rest is
known, because another life has been there, or until it goes round in a circle: it is at rest.
"""

from contextlib import suppress
from typing import NamedTuple

from campaign.state import State, state_of
from sweep.working_station import Connected, WorkingStation

from hardware import HardwareError

MOST_SCANS = 5000
MOST_STARTS = 3
"""Faults of one branch strike two at most."""
RESTART_S = 2
"""After an end that was not asked for, systemd waits so long (`RestartSec`)."""
ENDED = "ended: "
"""What a process that ended with exit 3 said last."""


class Exposed(NamedTuple):
    """An exposure as the cabinet's monitor saw it."""

    rule: str
    cause: str
    text: str
    duration_ms: float
    current_a: float
    excuse: str = ""


class Ahead(NamedTuple):
    """What is still to come from some state on."""

    violations: tuple[str, ...] = ()
    exposures: tuple[Exposed, ...] = ()
    operations: int = 0
    """Makes and breaks."""
    reported: tuple[str, ...] = ()
    stray_us: int = 0
    """The longest that a coil is as the wire has made it."""
    feeds: Connected | None = None
    """What the modules feed at rest; None if that is neither what is allocated nor, after an
    emergency stop, nothing."""

    def after(self, before: "Ahead") -> "Ahead":
        return Ahead(
            before.violations + self.violations,
            before.exposures + self.exposures,
            before.operations + self.operations,
            before.reported + self.reported,
            max(before.stray_us, self.stray_us),
            self.feeds,
        )

    @property
    def clean(self) -> bool:
        return not self.violations and not self.exposures


class Lives:
    """What is known of the future under one set of demands."""

    def __init__(self) -> None:
        self._clean: dict[bytes, Ahead] = {}
        self._marred: dict[tuple[bytes, bytes], Ahead] = {}
        self.scans = 0
        """Scans that had to be lived through."""
        self.joined = 0
        """Lives that came to a state which was known."""

    def known(self, state: State) -> Ahead | None:
        """What is to come from here, if that is known. While an exposure lasts, it is not."""
        if state.open:
            return None
        return self._clean.get(state.core) or self._marred.get((state.core, state.excuses))

    def follow(self, at_work: WorkingStation, skip: bool = True) -> Ahead:
        """Live on from before the next scan, to the end."""
        began = told(at_work)
        lived: list[tuple[State, Ahead]] = []
        places: dict[State, int] = {}
        for _ in range(MOST_SCANS):
            try:
                at_work.scan(skip)
            except HardwareError as error:
                _start_again(at_work, error)
            self.scans += 1
            at_work.wait()
            state = state_of(at_work)
            ahead = self.known(state)
            if ahead is not None:
                self.joined += 1
                break
            if state in places:
                ahead = self._at_rest(at_work, lived[places[state]][1])
                break
            places[state] = len(lived)
            lived.append((state, told(at_work)))
            if skip:
                at_work.skip_until(at_work.due_ms + 60_000)
        else:
            ahead = Ahead(violations=(f"not at rest after {MOST_SCANS} scans",))
        end = told(at_work)
        for state, before in lived:
            if not state.open:
                self._learn(state, ahead.after(between(before, end)))
        return ahead.after(between(began, end))

    def _at_rest(self, at_work: WorkingStation, before: Ahead) -> Ahead:
        """The state comes again and again; nothing may move in between."""
        if told(at_work).operations != before.operations:
            return Ahead(violations=("contactors move for ever",))
        live = at_work.live
        right = at_work.feeds_as_decided() and at_work.state.settled
        right |= at_work.state.stopped and not any(live.values())
        return Ahead(feeds=live if right else None)

    def _learn(self, state: State, ahead: Ahead) -> None:
        if ahead.clean:
            self._clean[state.core] = ahead
        else:
            self._marred[state.core, state.excuses] = ahead


def _start_again(at_work: WorkingStation, error: HardwareError) -> None:
    """The process has ended with an error, and systemd starts another."""
    at_work.reported.append(f"{ENDED}{error}")
    at_work.lose_device()
    for _ in range(MOST_STARTS):
        at_work.charger.time.sleep_s(RESTART_S)
        with suppress(HardwareError):
            at_work.start()
            return
    raise error


def told(at_work: WorkingStation) -> Ahead:
    """What has come to pass so far."""
    monitor = at_work.monitor
    monitor.settle()
    return Ahead(
        tuple(event.text for event in monitor.violations),
        tuple(
            Exposed(e.rule, e.cause, e.text, e.duration_ms, e.current_a, e.excuse)
            for e in monitor.exposures
        ),
        at_work.operations,
        tuple(at_work.reported),
        monitor.longest_stray_us,
    )


def between(before: Ahead, after: Ahead) -> Ahead:
    return Ahead(
        after.violations[len(before.violations) :],
        after.exposures[len(before.exposures) :],
        after.operations - before.operations,
        after.reported[len(before.reported) :],
        after.stray_us if after.stray_us > before.stray_us else 0,
    )
