"""Figures of a replay, each a plain function with its formula and where it comes from.

What a figure is worth depends on how much was asked: `load_factor` is printed beside all of them.
"""

from collections.abc import Callable
from typing import NamedTuple

from verified_alloc.compare.replay import Replay
from verified_alloc.workload.sessions import MJ_PER_KWH

MS_PER_YEAR = 365.25 * 24 * 3600 * 1000
RATED_OPERATIONS = 200_000
"""A contactor's life in makes and breaks without current: 100,000 cycles, a low datasheet value."""


def load_factor(replay: Replay) -> float:
    """Energy asked for / (power of all modules x time in which some gun asked). Above 1 the station
    is too small for what comes; below, what policies do differs less."""
    return _ratio(sum(replay.gun_asked_mj), replay.pool_w * replay.busy_ms)


def short_share(replay: Replay) -> float:
    """Time in which the guns together asked for more than all modules have / time in which some gun
    asked. Only then is there anything to decide on a full matrix."""
    return _ratio(replay.short_ms, replay.busy_ms)


def limiting_share(replay: Replay) -> float | None:
    """Time in which the guns together asked for more than the limit in force, and all modules have
    more / time in which some gun asked."""
    return _ratio(replay.limiting_ms, replay.busy_ms) if replay.limited else None


def limiting_energy_share(replay: Replay) -> float | None:
    """Energy delivered in that time / energy delivered."""
    return _ratio(replay.limiting_mj, replay.delivered_mj) if replay.limited else None


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


def minutes_to_finish(replay: Replay) -> float | None:
    """From arrival to 80 % of the battery (where it is known and was not passed already) or to all
    that was wanted; the mean over those that came there, minutes."""
    if not replay.closed_loop or not replay.finished:
        return None
    return replay.finishing_ms / (replay.finished * 60_000)


def finished_share(replay: Replay) -> float | None:
    """Sessions that came to 80 % or their finish / all sessions: what the mean above is over."""
    return _ratio(replay.finished, replay.sessions, 1.0) if replay.closed_loop else None


def minutes_waiting(replay: Replay) -> float | None:
    """From arrival to a gun, or to giving up; the mean over all sessions, minutes."""
    return _ratio(replay.waiting_ms, replay.sessions * 60_000) if replay.closed_loop else None


def longest_wait_minutes(replay: Replay) -> float | None:
    """The longest of these waits, minutes."""
    return replay.longest_wait_ms / 60_000 if replay.closed_loop else None


def unserved(replay: Replay) -> int | None:
    """Sessions that gave up before a gun was free."""
    return replay.unserved if replay.closed_loop else None


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


def worst_life_years(replay: Replay) -> float | None:
    """A contactor's rated life, 200,000 makes and breaks without current, / the busiest contactor's
    operations in a year of such days. Datasheets say 100,000 to 1,000,000 cycles: multiply."""
    a_year = worst_operations(replay) * MS_PER_YEAR / replay.duration_ms
    return RATED_OPERATIONS / a_year if a_year else None


def peak_kw(replay: Replay) -> float:
    """The most that all guns drew together, kW."""
    return replay.peak_w / 1000


def decision_ms(replay: Replay) -> float:
    """Mean time of a decision that was not known from before, ms of this machine, busy or
    not."""
    return _ratio(replay.decided_ns, replay.decided * 1_000_000)


class Figure(NamedTuple):
    """One line of a table of figures."""

    key: str
    """In JSON and CSV; it carries the unit."""
    title: str
    unit: str
    value: Callable[[Replay], float | None]
    """None: this replay does not tell. Shares are printed in percent."""
    digits: int
    better: int
    """1: more is better; -1: less is; 0: neither."""

    def of(self, replay: Replay) -> float | None:
        """The value in its unit."""
        value = self.value(replay)
        return value * 100 if value is not None and self.unit == "%" else value

    def shown(self, replay: Replay) -> str:
        """The value for a person, without its unit."""
        value = self.of(replay)
        return "-" if value is None else f"{value:,.{self.digits}f}"


FIGURES = (
    Figure("load_factor", "Load factor", "", load_factor, 2, 0),
    Figure("short_percent", "Time with more asked than there is", "%", short_share, 1, 0),
    Figure("limiting_percent", "Time in which the limit bound", "%", limiting_share, 1, 0),
    Figure(
        "limiting_energy_percent",
        "Energy delivered in that time",
        "%",
        limiting_energy_share,
        1,
        0,
    ),
    Figure("wanted_kwh", "Energy wanted", "kWh", wanted_kwh, 0, 0),
    Figure("delivered_kwh", "Energy delivered", "kWh", delivered_kwh, 0, 1),
    Figure("unmet_kwh", "Energy unmet", "kWh", unmet_kwh, 0, -1),
    Figure("unmet_percent", "Energy unmet", "%", unmet_share, 2, -1),
    Figure("met_percent", "Sessions that got what they came for", "%", met_share, 1, 1),
    Figure("minutes_to_finish", "To 80 % or finish, mean", "min", minutes_to_finish, 1, -1),
    Figure("finished_percent", "Sessions that came there", "%", finished_share, 1, 1),
    Figure("minutes_waiting", "Waiting for a gun, mean", "min", minutes_waiting, 2, -1),
    Figure("longest_wait_minutes", "Waiting for a gun, longest", "min", longest_wait_minutes, 0, 0),
    Figure("unserved", "Sessions that gave up waiting", "", unserved, 0, -1),
    Figure("nothing_percent", "Guns asking and left with nothing", "%", nothing_share, 1, -1),
    Figure("top_gun_loss_percent", "Loss of the gun served first", "%", top_gun_loss, 2, -1),
    Figure("jain_fairness", "Jain fairness of sessions", "", jain_fairness, 4, 1),
    Figure("module_utilisation_percent", "Module utilisation", "%", module_utilisation, 1, 1),
    Figure("operations", "Contactor operations", "", operations, 0, -1),
    Figure("worst_operations", "Operations of the busiest contactor", "", worst_operations, 0, -1),
    Figure("worst_life_years", "Life of the busiest contactor", "years", worst_life_years, 1, 1),
    Figure("peak_kw", "Peak power", "kW", peak_kw, 0, 0),
    Figure("decision_ms", "Decision, mean", "ms", decision_ms, 2, 0),
)
"""All of them, in the order of the tables."""


def _ratio(part: int, whole: int, of_nothing: float = 0.0) -> float:
    return part / whole if whole else of_nothing
