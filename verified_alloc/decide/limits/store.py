"""All charging profiles that stand, and what they allow together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from verified_alloc.decide.limits.profile import OF_GUN, OF_STATION, Profile, Purpose


class Session(NamedTuple):
    """A vehicle at a gun."""

    began_s: int
    transaction: str | None = None


Sessions = Mapping[int, Session]
"""By gun."""


class Allowed(NamedTuple):
    """What may be drawn, W; None: nobody says."""

    station_w: int | None
    gun_w: tuple[int | None, ...]
    """By gun."""


class Limits(NamedTuple):
    """What has been told and not taken back. At any moment the valid profile of the highest stack
    level counts of each purpose, a session's before a default, and of the purposes the lowest
    limit (OCPP 1.6, 3.13; OCPP 2.0.1, K01)."""

    guns: int
    profiles: tuple[Profile, ...] = ()

    def told(self, profile: Profile, now_s: float) -> "Limits":
        """With this one: in place of the one of its id, or of its purpose, gun, transaction and
        stack level, which stands until this one begins."""
        kept = []
        for each in self.profiles:
            same_id = each.id is not None and each.id == profile.id
            if same_id or _place(each) == _place(profile):
                each = each._replace(to_s=min(each.to_s, profile.begins_s))
                if each.is_over(now_s) or each.to_s <= each.begins_s:
                    continue
            kept.append(each)
        return self._replace(profiles=(*kept, profile))

    def without(self, **named: object) -> "Limits":
        """Without those that have all of what is named; gun 0 is all guns together, or each."""
        asked = {key: value for key, value in named.items() if value is not None}
        if asked.get("gun") == 0:
            asked["gun"] = None
        return self._replace(
            profiles=tuple(
                each
                for each in self.profiles
                if any(getattr(each, key) != value for key, value in asked.items())
            )
        )

    def pruned(self, now_s: float) -> "Limits":
        """Without those that are over."""
        return self._replace(
            profiles=tuple(each for each in self.profiles if not each.is_over(now_s))
        )

    def shifted(self, by_s: int) -> "Limits":
        """The clock by which they were told was set by that much."""
        return self._replace(
            profiles=tuple(
                each._replace(start_s=each.start_s + by_s)
                if each.from_told and each.start_s is not None
                else each
                for each in self.profiles
            )
        )

    def at(self, now_s: float, sessions: Sessions) -> Allowed:
        """What they allow then."""
        return Allowed(
            self._least(OF_STATION, None, now_s, None),
            tuple(self._of_gun(gun, now_s, sessions.get(gun)) for gun in range(1, self.guns + 1)),
        )

    def at_any_time(self) -> Allowed:
        """The lowest that they ever allow: what counts as long as nobody knows the time."""

        def least(gun: int | None) -> int | None:
            return _least(each.least_w for each in self.profiles if each.gun == gun)

        of_every = _least(
            each.least_w for each in self.profiles if each.gun is None and each.purpose in OF_GUN
        )
        return Allowed(
            _least(
                each.least_w
                for each in self.profiles
                if each.gun is None and each.purpose in OF_STATION
            ),
            tuple(_least((of_every, least(gun))) for gun in range(1, self.guns + 1)),
        )

    def within(self, now_s: float, for_s: float, sessions: Sessions) -> Allowed:
        """The lowest that they allow from then on for so long: what is offered now may be drawn
        until its lead time is over."""
        return least([allowed for _, allowed in self.schedule(now_s, now_s + for_s, sessions)])

    def schedule(
        self, from_s: float, to_s: float, sessions: Sessions, most: float = float("inf")
    ) -> list[tuple[float, Allowed]]:
        """The composite schedule: from when on what is allowed, until `to_s`; `most` entries."""
        at_s, found = from_s, [(from_s, self.at(from_s, sessions))]
        while (at_s := self.next_change_s(at_s, sessions)) < to_s and len(found) < most:
            allowed = self.at(at_s, sessions)
            if allowed != found[-1][1]:
                found.append((at_s, allowed))
        return found

    def next_change_s(self, now_s: float, sessions: Sessions) -> float:
        """When after that something else may be allowed; infinity: never."""
        began_s = [None, *(session.began_s for session in sessions.values())]
        return min(
            (
                each.next_change_s(now_s, session_s)
                for each in self.profiles
                for session_s in began_s
            ),
            default=float("inf"),
        )

    def _of_gun(self, gun: int, now_s: float, session: Session | None) -> int | None:
        of_session = self._prevailing("session", gun, now_s, session)
        if of_session is None:
            of_session = self._prevailing("default", gun, now_s, session)
        return _least((of_session, self._least(OF_STATION, gun, now_s, session)))

    def _least(
        self, purposes: Iterable[Purpose], gun: int | None, now_s: float, session: Session | None
    ) -> int | None:
        return _least(self._prevailing(purpose, gun, now_s, session) for purpose in purposes)

    def _prevailing(
        self, purpose: Purpose, gun: int | None, now_s: float, session: Session | None
    ) -> int | None:
        whom = (gun, None) if purpose in OF_GUN else (gun,)
        valid = [
            (each.stack_level, each.gun is not None, -limit_w)
            for each in self.profiles
            if each.purpose == purpose
            and each.gun in whom
            and each.transaction in (None, session and session.transaction)
            and (limit_w := each.at(now_s, session and session.began_s)) is not None
        ]
        return -max(valid)[2] if valid else None


def least(every: Sequence[Allowed]) -> Allowed:
    """What all of them allow."""
    return Allowed(
        _least(each.station_w for each in every),
        tuple(_least(limits_w) for limits_w in zip(*(each.gun_w for each in every), strict=True)),
    )


def _place(profile: Profile) -> tuple[object, ...]:
    return profile.purpose, profile.gun, profile.transaction, profile.stack_level


def _least(limits_w: Iterable[int | None]) -> int | None:
    return min((limit_w for limit_w in limits_w if limit_w is not None), default=None)
