"""The limits that stand: told, kept on disk, and what of them counts now."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple

from hardware import clock
from verified_alloc.control.limits_file import Kept, LimitsFile
from verified_alloc.control.on_disk import OnDisk
from verified_alloc.control.wall_clock import SET_S, WallClock
from verified_alloc.decide.lasting import LastingLimit
from verified_alloc.decide.limits.profile import OF_STATION, Profile
from verified_alloc.decide.limits.store import Allowed, Limits, Session, Sessions, least
from verified_alloc.errors import BadInput
from verified_alloc.kernel.deadline import LONG_MS
from verified_alloc.station.model import Station
from verified_alloc.words import kilowatts

PAUSE_S = 60.0
"""A gun that asks again within so long goes on with its session."""
MOST_PROFILES, MOST_PERIODS = 200, 5000
"""What counts is worked out within a scan; periods are those of all profiles together."""
ROUNDING_S = 1e-3
"""A change counts at the scan for which it is due, however Unix time as a float rounds."""
OTHER_STEP_W = 10_000
"""What others draw is kept in whole steps of this: the disk is not written at every heartbeat."""
LOOK_EVERY_S = 1.0
"""What a clock shows may drift: what counts is worked out anew at least so often."""


class Standing(NamedTuple):
    """What there is to see."""

    at_s: float
    """Unix time, as the scan has it."""
    profiles: tuple[Profile, ...]
    sessions: Sessions
    allowed: Allowed
    """What counts now, the least of what is allowed until the lead time of an offer is over."""
    failsafe: str = ""
    """Why the failsafe value counts, in a sentence."""
    on_set_clock: bool = True
    other_w: int = 0
    """What others draw behind the same connection."""


class StandingLimits:
    """Those in the file at first, and what is told from then on: in force at once, and written by
    `disk`, which no scan waits for. `report` hears what is not told by anybody."""

    def __init__(
        self,
        station: Station,
        file: LimitsFile,
        report: Callable[[str], None],
        disk: Executor,
        wall: Callable[[float], WallClock],
    ) -> None:
        self._config = station.limits
        self._lasting = LastingLimit(station)
        self._guns = len(station.guns)
        timing = station.timing
        self._lead_s = 2 * (timing.offer_lead_ms + timing.scan_ms) / 1000
        """From the scan that sees a change coming until a lower offer binds, also where the process
        dies before it tells that: the old offer then expires, or the next process lowers it."""
        self._report = report
        kept = file.load()
        self._clock = wall(file.written_s)
        self._ahead_s = self._clock.ahead_s()
        self._pinned: set[int] = set()
        """Guns whose session began by a clock that was right."""
        self._limits = Limits(self._guns, kept.profiles)
        self._other_w = kept.other_w
        self._sessions = dict(kept.sessions)
        self._taken_over(kept, file.written_s)
        with_value = self._config.failsafe_w is not None
        self._failsafe = kept.failsafe if with_value or kept.failsafe != "silent" else ""
        now_s = self._failsafe_s = clock.now_s()
        self._heard_s = now_s - (self._config.failsafe_after_s if self._failsafe else 0)
        self._asked_s = dict.fromkeys(self._sessions, now_s)
        self.kept = self._to_keep()
        """What is in the file, or on its way there."""
        unchanged = None if file.lost or self.kept != kept else kept
        self.on_disk = OnDisk(
            f"limits file {file.path}", "what is told", file.save, report, disk, unchanged
        )
        self._allowed = Allowed(None, (None,) * self._guns)
        self._at_s = now_s
        """When what counts was looked at last,"""
        self._until_s = self._change_s = -math.inf
        """when what is allowed is worked out again, and when it may change."""
        self._worked_out: object = None
        if file.lost:
            report(f"{file.lost}; {self._counts}")

    def _taken_over(self, kept: Kept, written_s: float) -> None:
        """By this clock. What began by one that nobody trusted begins again."""
        if not kept.on_set_clock:
            self._shift(round(self._unix_s() - written_s))
        elif not self._clock.trusted:
            self._pinned = set(self._sessions)
            self._limits = self._limits._replace(
                profiles=tuple(each._replace(from_told=False) for each in self._limits.profiles)
            )

    # What is told. `BadInput` changes nothing.

    @property
    def settled(self) -> bool:
        """What was told is in the file, or it has been told that it is not."""
        return self.on_disk.settled(self.kept)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Those that stand."""
        return self._limits.profiles

    def now_s(self) -> int:
        """Unix time at which what is told now was told."""
        return math.floor(self._unix_s())

    def tell(self, profiles: Sequence[Profile]) -> None:
        """These stand from now on."""
        self.heard()
        limits, sessions = self._limits, dict(self._sessions)
        for profile in profiles:
            if self._clock.trusted and all(map(profile.is_over, self._clock.times_s())):
                raise BadInput("the profile is over: allowed is one that is in force or will be")
            if profile.purpose == "session":
                gun, session = self._session_of(profile)
                if sessions[gun].transaction not in (None, session.transaction):
                    limits = limits.without(purpose="session", gun=gun)
                sessions[gun] = session
            trusted = self._clock.trusted
            now_s = self._unix_s() if trusted else -math.inf if profile.is_dated else math.inf
            limits = limits.told(profile, now_s)
        periods = sum(len(each.starts_s) for each in limits.profiles)
        if len(limits.profiles) > MOST_PROFILES or periods > MOST_PERIODS:
            raise BadInput(
                f"with this there would be {len(limits.profiles)} limits with {periods} periods:"
                f" allowed are {MOST_PROFILES} and {MOST_PERIODS}"
            )
        self._limits, self._sessions = limits, sessions
        self._listen_again(profiles)

    def _session_of(self, profile: Profile) -> tuple[int, Session]:
        """Whose it is. Another transaction is another session."""
        gun, transaction = profile.gun, profile.transaction
        if gun is None or gun not in self._sessions:
            raise BadInput(
                f"a session's limit for {'no gun' if gun is None else f'gun {gun}'}: allowed is one"
                " for a gun with a session, which begins when it asks for power"
            )
        session = self._sessions[gun]
        if transaction in (None, session.transaction):
            return gun, session
        if session.transaction is None:
            return gun, session._replace(transaction=transaction)
        return gun, Session(self.now_s(), transaction)

    def clear(self, **named: object) -> int:
        """Take back those that have all of what is named; how many that were."""
        self.heard()
        left = self._limits.without(**named)
        gone = [each for each in self._limits.profiles if each not in left.profiles]
        self._limits = left
        if gone or all(value is None for value in named.values()):
            self._listen_again(gone or [_OF_STATION])
        return len(gone)

    def heard(self, other_w: int | None = None) -> None:
        """Who tells limits is there, and knows perhaps what others draw behind the same connection.
        The file has that rounded up: it is not written at every heartbeat."""
        self._heard_s = clock.now_s()
        if other_w is not None:
            self._other_w = other_w
            self._keep()

    def _listen_again(self, about: Sequence[Profile]) -> None:
        if self._failsafe and any(e.gun is None and e.purpose in OF_STATION for e in about):
            self._failsafe = ""
        self._keep()

    # What counts.

    def at(self, asked_w: Sequence[int]) -> Allowed:
        """What all guns together and each may be given, now that these ask for that much. A lower
        limit is a planned removal: offers fall in this scan, what they were may still be drawn for
        `offer_lead_ms`. A higher one of all guns counts after `limit_delay_s`."""
        now_s, times_s = clock.now_s(), self._clock.times_s()
        self._at_s = now_s
        self._follow_clock()
        self._follow_sessions(asked_w, now_s)
        self._follow_sender(now_s)
        if now_s >= self._until_s or self._basis(times_s) != self._worked_out:
            self._work_out(now_s, times_s)
            self._worked_out = self._basis(times_s)
        self.on_disk.see_to(self.kept)
        self._lasting.tell(self._together_w, self._other_w)
        return self._allowed._replace(station_w=self._lasting.at(round(now_s * 1000)))

    @property
    def _together_w(self) -> int | None:
        """Of what was told, or instead of it."""
        return (self._config.failsafe_w or 0) if self._failsafe else self._allowed.station_w

    def standing(self) -> Standing:
        """What there is to see."""
        return Standing(
            self._unix_s(),
            self._limits.profiles,
            dict(self._sessions),
            self._allowed._replace(station_w=self._together_w),
            self._counts,
            self._clock.trusted,
            self._other_w,
        )

    @property
    def alarms(self) -> list[str]:
        """What is out of order and ends by itself."""
        alarms = [self._counts] if self._failsafe else []
        if not self._clock.trusted and any(each.is_dated for each in self._limits.profiles):
            alarms.append(
                "the clock has not been set: of limits with a date the lowest value counts"
            )
        return alarms

    @property
    def next_change_ms(self) -> int:
        """By the controller's clock, when something else may count; in a day if never."""
        ends_s = [self._change_s]
        if self._lasting.until_ms is not None:
            ends_s.append(self._lasting.until_ms / 1000)
        if self._config.failsafe_w is not None:
            ends_s.append(self._heard_s + self._config.failsafe_after_s)
            if self._failsafe:
                ends_s.append(self._failsafe_s + self._config.failsafe_for_s)
        pausing_s = [asked_s for asked_s in self._asked_s.values() if asked_s < self._at_s]
        ends_s += [asked_s + PAUSE_S for asked_s in pausing_s]
        latest_s = self._at_s + LONG_MS / 1000
        return math.floor(1000 * min([latest_s, *(each for each in ends_s if each > self._at_s)]))

    @property
    def rises_ms(self) -> int | None:
        """By the controller's clock, when a limit of all guns counts that has risen."""
        return self._lasting.until_ms

    def finish(self) -> None:
        """At the end: what was told is on disk, however long that takes."""
        self.on_disk.finish(self.kept)

    @property
    def _counts(self) -> str:
        if not self._failsafe:
            return ""
        value = kilowatts(self._config.failsafe_w or 0)
        if self._failsafe == "damaged":
            return f"limits: what was told is not known; {value} until a site limit is told"
        return (
            f"limits: nobody has told any for {self._config.failsafe_after_s} s; the failsafe"
            f" value counts, {value}"
        )

    def _unix_s(self) -> float:
        return clock.now_s() + self._clock.ahead_s()

    def _follow_clock(self) -> None:
        set_by_s = self._clock.ahead_s() - self._ahead_s
        self._ahead_s = self._clock.ahead_s()
        if abs(set_by_s) > SET_S:
            self._shift(round(set_by_s))
            self._keep()

    def _shift(self, by_s: int) -> None:
        self._limits = self._limits.shifted(by_s)
        for gun in self._sessions.keys() - self._pinned:
            session = self._sessions[gun]
            self._sessions[gun] = session._replace(began_s=session.began_s + by_s)

    def _follow_sessions(self, asked_w: Sequence[int], now_s: float) -> None:
        for gun, power_w in enumerate(asked_w, start=1):
            if power_w > 0:
                self._asked_s[gun] = now_s
                if gun not in self._sessions:
                    self._sessions[gun] = Session(self.now_s())
                    self._keep()
            elif gun in self._sessions and now_s - self._asked_s[gun] >= PAUSE_S:
                del self._sessions[gun], self._asked_s[gun]
                self._pinned.discard(gun)
                self._limits = self._limits.without(purpose="session", gun=gun)
                self._keep()

    def _follow_sender(self, now_s: float) -> None:
        config = self._config
        silent = config.failsafe_w is not None and now_s - self._heard_s >= config.failsafe_after_s
        if silent and not self._failsafe:
            self._failsafe, self._failsafe_s = "silent", now_s
            self._keep()
            self._report(self._counts)
        lasted = now_s - self._failsafe_s >= config.failsafe_for_s
        if self._failsafe == "silent" and not silent and lasted:
            self._failsafe = ""
            self._keep()
            self._report("limits: somebody is there again; what was told counts")

    def _work_out(self, now_s: float, times_s: Sequence[float]) -> None:
        limits, lead_s, sessions = self._limits, self._lead_s, self._sessions
        allowed = []
        if self._clock.trusted:
            pruned = limits.pruned(min(times_s))
            if pruned.profiles != limits.profiles:
                self._limits = limits = pruned
        else:
            dated = tuple(each for each in limits.profiles if each.is_dated)
            undated = tuple(each for each in limits.profiles if not each.is_dated)
            allowed.append(limits._replace(profiles=dated).at_any_time())
            limits = limits._replace(profiles=undated)
        self._keep()
        allowed += [limits.within(at_s, lead_s + ROUNDING_S, sessions) for at_s in times_s]
        self._allowed = least(allowed)
        changes_s = [
            change_s
            for at_s in times_s
            for change_s in (
                limits.next_change_s(at_s, sessions) - at_s,
                limits.next_change_s(at_s + lead_s, sessions) - at_s - lead_s,
            )
        ]
        self._change_s = now_s + min(changes_s)
        self._until_s = min(self._change_s, now_s + LOOK_EVERY_S)

    def _basis(self, times_s: Sequence[float]) -> object:
        return self._limits, tuple(self._sessions.items()), self._clock.trusted, len(times_s)

    def _to_keep(self) -> Kept:
        depends = any(e.purpose == "session" or e.start_s is None for e in self._limits.profiles)
        return Kept(
            self._limits.profiles,
            tuple(sorted(self._sessions.items())) if depends else (),
            self._failsafe,
            self._clock.trusted or not self._limits.profiles,
            -(-self._other_w // OTHER_STEP_W) * OTHER_STEP_W,
        )

    def _keep(self) -> None:
        self.kept = self._to_keep()


_OF_STATION = Profile("external", (0,), (0,), 0)
