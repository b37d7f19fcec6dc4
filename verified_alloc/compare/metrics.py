"""Figures of a replay, each a plain function with its formula and where it comes from.

What a figure is worth depends on how much was asked: `load_factor` is printed beside all of them.
"""

from verified_alloc.compare.replay import Replay
from verified_alloc.compare.sessions import MJ_PER_KWH

MS_PER_YEAR = 365.25 * 24 * 3600 * 1000
RATED_OPERATIONS = 200_000
"""A contactor's life in makes and breaks without current: 100,000 cycles. Datasheets of contactors
for this use say 100,000 to 1,000,000; divide and multiply by your own."""


def load_factor(replay: Replay) -> float:
    """Energy asked for / (power of all modules x time in which some gun asked). Above 1 the station
    is too small for what comes; below, what policies do differs less."""
    return _ratio(sum(replay.gun_asked_mj), replay.pool_w * replay.busy_ms)


def short_share(replay: Replay) -> float:
    """Time in which the guns together asked for more than all modules have / time in which some gun
    asked. Only then is there anything to decide on a full matrix."""
    return _ratio(replay.short_ms, replay.busy_ms)


def wanted_kwh(replay: Replay) -> float:
    """What cars came for, kWh; of a demand trace, what was asked for."""
    return replay.wanted_mj / MJ_PER_KWH


def delivered_kwh(replay: Replay) -> float:
    """Energy delivered to all guns, kWh."""
    return replay.delivered_mj / MJ_PER_KWH


def unmet_kwh(replay: Replay) -> float:
    """Wanted - delivered, kWh."""
    return (replay.wanted_mj - replay.delivered_mj) / MJ_PER_KWH


def delivered_share(replay: Replay) -> float:
    """Delivered / wanted: ACN-Sim's "proportion of energy delivered" (Lee et al., 2021)."""
    return _ratio(replay.delivered_mj, replay.wanted_mj, 1.0)


def unmet_share(replay: Replay) -> float:
    """(Wanted - delivered) / wanted."""
    return 1 - delivered_share(replay)


def met_share(replay: Replay) -> float:
    """Sessions that got at least 99 % of what they came for / all sessions: ACN-Sim's "proportion
    of demands met" (Lee et al., 2021), there with a threshold in kWh."""
    return _ratio(replay.met, replay.sessions, 1.0)


def minutes_to_finish(replay: Replay) -> float:
    """From arrival to 80 % of the battery (where it is known and was not passed already) or to all
    that was wanted; the mean over those that came there, minutes."""
    return _ratio(replay.finishing_ms, replay.finished * 60_000)


def finished_share(replay: Replay) -> float:
    """Sessions that came to 80 % or their finish / all sessions: what the mean above is over."""
    return _ratio(replay.finished, replay.sessions, 1.0)


def minutes_waiting(replay: Replay) -> float:
    """From arrival to a gun, or to giving up; the mean over all sessions, minutes."""
    return _ratio(replay.waiting_ms, replay.sessions * 60_000)


def longest_wait_minutes(replay: Replay) -> float:
    """The longest of these waits, minutes."""
    return replay.longest_wait_ms / 60_000


def nothing_share(replay: Replay) -> float:
    """Gun-hours in which a gun asked and was granted nothing / gun-hours in which one asked."""
    return _ratio(replay.nothing_ms, replay.asking_ms)


def top_gun_loss(replay: Replay) -> float:
    """Of what the gun served first asked for (up to its maximum), the share that it did not get:
    the price of giving power to others, switching times included."""
    return 1 - _ratio(replay.top_delivered_mj, replay.top_asked_mj, 1.0)


def jain_fairness(replay: Replay) -> float:
    """(sum x)^2 / (n sum x^2) over sessions, x = delivered / wanted: 1 if all get the same share,
    1/n if one gets all (Jain, Chiu, Hawe: DEC TR-301, 1984)."""
    squares = replay.sessions * replay.share_square_sum_ppm2
    return _ratio(replay.share_sum_ppm**2, squares, 1.0)


def module_utilisation(replay: Replay) -> float:
    """Energy delivered / (power of all modules x time in which some gun asked)."""
    return _ratio(replay.delivered_mj, replay.pool_w * replay.busy_ms)


def operations(replay: Replay) -> int:
    """Makes and breaks of all contactors."""
    return sum(replay.operations.values())


def worst_contactor(replay: Replay) -> tuple[int, int]:
    """The contactor (gun, module) that moved most; the first of equals."""
    return max(replay.operations, key=lambda pair: (replay.operations[pair], -pair[0], -pair[1]))


def worst_operations(replay: Replay) -> int:
    """Makes and breaks of the contactor that moved most."""
    return max(replay.operations.values())


def worst_life_years(replay: Replay) -> float:
    """`RATED_OPERATIONS` / the worst contactor's operations a year at this rate; infinite if none
    moved."""
    a_year = worst_operations(replay) * MS_PER_YEAR / replay.duration_ms
    return RATED_OPERATIONS / a_year if a_year else float("inf")


def peak_kw(replay: Replay) -> float:
    """The most that all guns drew together, kW."""
    return replay.peak_w / 1000


def decision_ms(replay: Replay) -> float:
    """Mean time of a decision that was not known from before, ms of this machine."""
    return _ratio(replay.decided_ns, replay.decided * 1_000_000)


def _ratio(part: int, whole: int, of_nothing: float = 0.0) -> float:
    return part / whole if whole else of_nothing
