"""The monitor against controllers that are wrong on purpose, and against plants that misbehave.

Each scenario drives the cabinet's wires directly and looks at what the monitor wrote down.
"""

import copy
import random

import pytest

from hardware.simulated.cabinet import Cabinet, PlantTiming
from hardware.simulated.faults import parse
from hardware.simulated.monitor import Event, Monitor

MS = 1000
FOREVER = 10**12
TIMING = PlantTiming()


class Rig:
    """Three guns, four modules of 40 kW, every contactor; hands on the wires, a monitor watching.

    Contactors: module by module, guns ascending: 1:1 is bit 0, 2:1 bit 1, 3:1 bit 2, 1:2 bit 3...
    """

    guns, modules = 3, 4

    def __init__(self, seed: int = 1, timing: PlantTiming = TIMING) -> None:
        pairs = [(g, m) for m in range(1, self.modules + 1) for g in range(1, self.guns + 1)]
        self.cabinet = Cabinet(
            gun_count=self.guns,
            module_power_w=[40_000] * self.modules,
            gun_max_w=[120_000] * self.guns,
            contactors=pairs,
            timing=timing,
            seed=seed,
        )
        self.monitor = Monitor(self.cabinet, fault_reaction_ms=60)
        self.word = 0
        self.cabinet.watchdog_fed_until(FOREVER)
        for gun in range(1, self.guns + 1):
            self.cabinet.vehicle(gun, 200_000)
        self.wait(1)

    def bit(self, gun: int, module: int) -> int:
        k = (module - 1) * self.guns + gun - 1
        assert k < 14
        return 1 << (k if k < 7 else k + 1)

    def wait(self, ms: float) -> None:
        self.cabinet.advance(self.cabinet.now_us + round(ms * MS))

    def coils(self, *, on: object = (), off: object = (), cause: str = "command") -> None:
        for gun, module in on:  # type: ignore[attr-defined]
            self.word |= self.bit(gun, module)
        for gun, module in off:  # type: ignore[attr-defined]
            self.word &= ~self.bit(gun, module)
        self.cabinet.coil_word(0, self.word, cause)

    def close(self, gun: int, module: int, cause: str = "command") -> None:
        self.coils(on=[(gun, module)], cause=cause)

    def open(self, gun: int, module: int, cause: str = "command") -> None:
        self.coils(off=[(gun, module)], cause=cause)

    def enable(self, module: int) -> None:
        self.cabinet.set_enable(module, True)

    def disable(self, module: int) -> None:
        self.cabinet.set_enable(module, False)

    def offer(self, gun: int, offer_w: int) -> None:
        self.cabinet.offer(gun, offer_w, FOREVER)

    def fault(self, text: str) -> None:
        self.cabinet.inject(parse(text))

    def connect(self, gun: int, *modules: int) -> None:
        """As a careful controller does it."""
        for module in modules:
            self.close(gun, module)
        self.wait(60)
        for module in modules:
            self.enable(module)
        self.wait(20)
        self.offer(gun, len(self.cabinet.live_modules(gun)) * 40_000)
        self.wait(20)

    def disconnect(self, gun: int, *modules: int) -> None:
        """As a careful controller does it, discharge included."""
        stay = len(set(self.cabinet.live_modules(gun)) - set(modules))
        self.offer(gun, stay * 40_000)
        self.wait(1000)
        for module in modules:
            self.disable(module)
        self.wait(220)
        for module in modules:
            self.open(gun, module)
        self.wait(1000)

    @property
    def violations(self) -> list[tuple[str, int | None, int | None]]:
        return [(e.rule, e.gun, e.module) for e in self.monitor.violations]

    @property
    def exposures(self) -> list[tuple[str, str, int | None, int | None]]:
        return [(e.rule, e.cause, e.gun, e.module) for e in self.monitor.exposures]

    def quiet(self) -> bool:
        return not self.monitor.violations and not self.monitor.exposures


@pytest.fixture(params=range(4))
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(seed=request.param)


def only(events: list[Event]) -> Event:
    (event,) = events
    return event


# A careful controller is never blamed -----------------------------------------------------------


def test_a_correct_sequence_leaves_no_event(rig: Rig) -> None:
    rig.connect(1, 1, 2)
    assert rig.cabinet.live_modules(1) == (1, 2)
    rig.disconnect(1, 2)
    rig.connect(3, 2, 4)
    rig.disconnect(1, 1)
    rig.disconnect(3, 2, 4)
    assert rig.quiet()
    assert rig.cabinet.closed_contactors() == set()
    assert rig.monitor.makes == rig.monitor.breaks == {(1, 1): 1, (1, 2): 1, (3, 2): 1, (3, 4): 1}
    assert rig.monitor.broken_current_a == 0


@pytest.mark.parametrize("seed", range(5))
def test_random_correct_moves_leave_no_event(seed: int) -> None:
    rig = Rig(seed)
    draw = random.Random(seed)
    where: dict[int, int] = {}
    for _ in range(40):
        module = draw.randint(1, 4)
        if module in where:
            rig.disconnect(where.pop(module), module)
        else:
            where[module] = draw.randint(1, 3)
            rig.connect(where[module], module)
        assert rig.cabinet.closed_contactors() == {(g, m) for m, g in where.items()}
    assert rig.quiet(), rig.monitor.violations + rig.monitor.exposures


# A wrong controller is always blamed ------------------------------------------------------------


def test_a_second_contactor_on_a_module_is_s1(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    rig.close(2, 1)
    rig.wait(60)
    assert ("S1", 2, 1) in rig.violations


def test_both_contactors_in_one_word_is_s1(rig: Rig) -> None:
    rig.coils(on=[(1, 1), (2, 1)])
    rig.wait(60)
    assert [rule for rule, _, _ in rig.violations] == ["S1"]


def test_a_welded_contact_counts_as_closed(rig: Rig) -> None:
    rig.fault("weld 1:1")
    rig.connect(1, 1)
    rig.disconnect(1, 1)
    assert rig.exposures == [("S8", "weld", 1, 1)]
    rig.close(2, 1)
    rig.wait(60)
    assert rig.violations == [("S1", 2, 1)]
