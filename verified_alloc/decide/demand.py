"""The demand processor: what the guns ask for, in whole watts, how fresh it is, who comes first."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from math import ceil
from typing import NamedTuple

from verified_alloc.decide.lasting import Lasting
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.model import Station
from verified_alloc.station.parts import number_in

# Beyond every float; an integer of that many digits serves only to keep the charger busy.
MOST_KW = Decimal(10) ** 309
THOUSAND = Decimal(1000)
# The caller's decimal context may round; this one never does.
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def watts(kw: float | Decimal, name: str) -> int:
    """That many kW in whole watts, rounded up exactly: 16.1 is 16100, 40.0001 is 40001.

    `name` says whose demand it is (`gun 3`). `BadInput` for what is no number, not finite or
    below 0.
    """
    if isinstance(kw, int) and not isinstance(kw, bool):
        if 0 <= kw < MOST_KW:
            return kw * 1000
    elif isinstance(kw, float | Decimal):
        exact = Decimal(str(kw))
        if exact.is_finite() and 0 <= exact < MOST_KW:
            return ceil(EXACT.multiply(exact, THOUSAND))
    raise BadInput(
        f"demand of {name} = {shown(kw)} kW: allowed is a finite number of kW, 0 or more"
    )


class Asked(NamedTuple):
    """What the guns ask for at one time, gun 1 first, and in which order they are served."""

    demand_w: tuple[int, ...]
    rank_w: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def question(self) -> tuple[tuple[int, ...], ...]:
        """What the answer depends on: of the ranks, only the order."""
        return self.demand_w, self.order


def by_rank(rank_w: Sequence[int]) -> tuple[int, ...]:
    """The numbers of the guns, highest rank value first, ties by number."""
    return tuple(sorted(range(1, len(rank_w) + 1), key=lambda gun: -rank_w[gun - 1]))


def strictly(demand_w: Sequence[int]) -> Asked:
    """Those demands, served as documented: highest first, ties by gun number."""
    return Asked(tuple(demand_w), tuple(demand_w), by_rank(demand_w))


def from_kilowatts(station: Station, demands: Mapping[int, float | Decimal]) -> Asked:
    """Demands in kW by gun, a gun that is not named asks for 0; all or none: `BadInput`."""
    demand_w = [0] * len(station.guns)
    for gun, gun_w in _accepted(station, demands).items():
        demand_w[gun - 1] = gun_w
    return strictly(demand_w)


def _accepted(station: Station, demands: Mapping[int, float | Decimal]) -> dict[int, int]:
    """The same demands in watts, every one checked."""
    if not isinstance(demands, Mapping):
        raise BadInput(f"demands = {shown(demands)}: allowed is gun: kW")
    accepted = {}
    for gun, kw in demands.items():
        check_gun(station, gun)
        accepted[gun] = watts(kw, f"gun {gun}")
    return accepted


def check_gun(station: Station, gun: object) -> None:
    """Refuse, as `BadInput`, a gun that the station does not have."""
    if not number_in(gun, len(station.guns)):
        raise BadInput(f"gun {shown(gun)}: allowed are guns 1 to {len(station.guns)}")


class DemandProcessor:
    """Remembers the last demand of each gun and when it was told.

    A demand older than the station's `demand_timeout_s` counts as 0.

    What each gun has asked for in the last `release_delay_s` is remembered, as long as it asks.

    For the order each gun has a rank value that follows its demand only when they have differed by
    more than the station's `priority_deadband_w` for `rank_delay_s`, or when either is 0; so two
    guns of nearly equal demand do not change places at every wobble. With a deadband of 0 the
    order is strictly the documented one.
    """

    def __init__(self, station: Station) -> None:
        guns, policy = station.guns, station.policy
        self._station = station
        self._timeout_ms = station.timing.demand_timeout_s * 1000
        self._deadband_w = policy.priority_deadband_w
        self._rank_delay_ms = policy.rank_delay_s * 1000 if self._deadband_w else 0
        self._demand_w = [0] * len(guns)
        self._set_ms: list[int | None] = [None] * len(guns)
        self._rank_w = [0] * len(guns)
        self._differs_ms: list[int | None] = [None] * len(guns)
        """Since when its rank is another than its demand."""
        self._most = [Lasting(policy.release_delay_s * 1000) for _ in guns]
        self._least = [Lasting(policy.release_delay_s * 1000) for _ in guns]
        """Of less than nothing."""
        self._limit_w: tuple[int | None, ...] = (None,) * len(guns)

    def set(self, gun: int, kw: float | Decimal, now_ms: int) -> None:
        """A gun asks for that many kW from now on. `BadInput` changes nothing."""
        self.set_all({gun: kw}, now_ms)

    def set_all(self, demands: Mapping[int, float | Decimal], now_ms: int) -> None:
        """Several guns at once, in kW; the others keep theirs. One bad demand changes nothing."""
        for gun, demand_w in _accepted(self._station, demands).items():
            self.set_w(gun, demand_w, now_ms)

    def set_w(self, gun: int, demand_w: int, now_ms: int) -> None:
        """The same for what is behind the door already: whole watts."""
        check_gun(self._station, gun)
        self._demand_w[gun - 1] = demand_w
        self._set_ms[gun - 1] = now_ms

    def limit(self, limit_w: Sequence[int | None]) -> None:
        """From now on no more than that is asked for, gun 1 first; None: there is no limit."""
        self._limit_w = tuple(limit_w)

    def wanted_w(self, now_ms: int) -> tuple[int, ...]:
        """What guns ask for now, whatever their limits."""
        return tuple(
            0 if self._is_stale(place, now_ms) else demand
            for place, demand in enumerate(self._demand_w)
        )

    def asks_w(self, now_ms: int) -> tuple[int, ...]:
        """The same within their limits."""
        return tuple(
            demand if limit is None else min(demand, limit)
            for demand, limit in zip(self.wanted_w(now_ms), self._limit_w, strict=True)
        )

    def limited(self, now_ms: int) -> tuple[int, ...]:
        """Guns that ask for more than their limit."""
        pairs = zip(self.wanted_w(now_ms), self._limit_w, strict=True)
        return tuple(
            gun
            for gun, (demand_w, limit_w) in enumerate(pairs, start=1)
            if limit_w is not None and demand_w > limit_w
        )

    def asked(self, now_ms: int) -> Asked:
        """What is asked now, within the limits. Ranks, and what is held, follow what this is called
        with: once a scan."""
        demand_w = self.asks_w(now_ms)
        for place, demand in enumerate(demand_w):
            self._rank(place, demand, now_ms)
            comes_or_goes = not demand or not self._most[place].counts
            for lasting, number in ((self._most, demand), (self._least, -demand)):
                lasting[place].take_in(number, now_ms)
                if comes_or_goes:
                    lasting[place].give_up()
        return Asked(demand_w, tuple(self._rank_w), by_rank(self._rank_w))

    def lasting_w(self, gun: int) -> tuple[int, int]:
        """The least and the most that this gun has asked for lately, for `release_delay_s` at
        least."""
        place = gun - 1
        return -self._least[place].counts, self._most[place].counts

    def release(self, guns: Iterable[int]) -> None:
        """Of these guns nothing is held any more."""
        for gun in guns:
            self._most[gun - 1].give_up()

    def held_until_ms(self, gun: int) -> int | None:
        """Until when a demand counts that this gun has no more; None: none does."""
        return self._most[gun - 1].until_ms

    def stale(self, now_ms: int) -> tuple[int, ...]:
        """The guns whose demand has become too old to count; one that never told any is not."""
        return tuple(gun.id for gun in self._station.guns if self._is_stale(gun.id - 1, now_ms))

    def next_change_ms(self, now_ms: int) -> int | None:
        """When the next demand becomes stale, the next rank follows or less is held if nobody
        tells anything; None if none will."""
        stale_ms = (
            set_ms + self._timeout_ms + 1
            for place, set_ms in enumerate(self._set_ms)
            if set_ms is not None and not self._is_stale(place, now_ms)
        )
        changes_ms = (*stale_ms, self.lasts_until_ms)
        return min((ms for ms in changes_ms if ms is not None), default=None)

    @property
    def lasts_until_ms(self) -> int | None:
        """When the next rank follows its demand or less is held, if nobody tells anything."""
        rank_ms = (ms + self._rank_delay_ms for ms in self._differs_ms if ms is not None)
        lasts_ms = (each.until_ms for each in (*self._most, *self._least))
        held_ms = (ms for ms in lasts_ms if ms is not None)
        return min((*rank_ms, *held_ms), default=None)

    def _rank(self, place: int, demand_w: int, now_ms: int) -> None:
        rank_w, since_ms = self._rank_w[place], self._differs_ms[place]
        waited_ms = 0 if since_ms is None else now_ms - since_ms
        if demand_w and abs(demand_w - rank_w) <= self._deadband_w:
            self._differs_ms[place] = None
        elif not demand_w or not rank_w or waited_ms >= self._rank_delay_ms:
            self._rank_w[place], self._differs_ms[place] = demand_w, None
        elif since_ms is None:
            self._differs_ms[place] = now_ms

    def _is_stale(self, place: int, now_ms: int) -> bool:
        set_ms = self._set_ms[place]
        return set_ms is not None and now_ms - set_ms > self._timeout_ms
