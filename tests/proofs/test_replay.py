"""The simulated cabinet and the plant of the proofs are one world: what the controller meets in
simulation is replayed, scan by scan and module by module, against the plant relation, which is made
of plain functions and judges constants as it judges terms."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from hardware.contactors import ContactorController
from hardware.expanders import FeedbackChip
from hardware.modules import PowerModuleController
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import parse
from proofs import plant
from proofs.plant import (
    CHIPS,
    CLOSES,
    LINES,
    NEEDS_ENABLE,
    ONE_FLIP,
    OPENS,
    SOLE_OWNER,
    SPACING,
    STAYS_OPEN,
    Interval,
    Module,
    Scan,
)
from verified_alloc import Station
from verified_alloc.control import assembly
from verified_alloc.kernel import diagnosis, switching
from verified_alloc.kernel.diagnosis import Readings, Timing
from verified_alloc.kernel.switching import Writes
from verified_alloc.run import loop
from verified_alloc.workload.traces import DemandChange, DemandTrace

LONG_AGO_US = -(10**12)
HANDOVER = DemandTrace(
    (
        DemandChange(0, 1, 120_000),
        DemandChange(4_000, 2, 80_000),
        DemandChange(4_000, 1, 40_000),
        DemandChange(9_000, 1, 0),
    )
)


@pytest.fixture
def station() -> Station:
    """Two guns and three modules with the default times."""
    return small_station({})


def small_station(hardware: dict[str, Any]) -> Station:
    return Station.from_tables(
        {
            "hardware": hardware,
            "station": {
                "name": "replayed",
                "guns": 2,
                "modules": 3,
                "module_power_kw": 40,
                "gun_max_power_kw": 120,
            },
            "timing": {"minimum_dwell_s": 0},
        }
    )


class Moment(NamedTuple):
    """What was seen of one module in one scan."""

    at_us: int
    module: Module
    first: list[bool]
    second: list[bool]
    last: list[bool]
    enable_last: bool
    feeds_last: bool
    readings: Readings
    writes: Writes
    status_wired: bool
    current_ma: int
    terminal_v: int


class Told(NamedTuple):
    """What a gun was offered and drew in one scan, as its lines are read."""

    at_us: int
    offer_w: int
    draws_w: int


class Recorder:
    """Looks at the cabinet whenever the controller reads or decides. Guns and modules from 0."""

    def __init__(self, station: Station, charger: SimulatedCharger) -> None:
        self.moments: list[list[Moment]] = [[] for _ in station.modules]
        self.told: list[list[Told]] = [[] for _ in station.guns]
        self._station, self._charger = station, charger
        self._at_us = 0
        self._began: list[Module] = []
        self._reads: list[list[tuple[list[bool], list[bool]]]] = []
        """By look and module: the contacts, and which of them bounced then, in their time."""
        self._last: list[list[bool]] = []
        self._decided = 0

    def lines_read(self) -> None:
        """The last time before the chips are read, this begins a scan."""
        self._at_us, self._reads, self._decided = self._charger.time.now_us, [], 0
        closed = self.contacts()
        self._began = [self.module(m, closed[m]) for m in range(len(self._station.modules))]
        for gun, vehicle in enumerate(self._charger.cabinet.vehicles):
            self.told[gun].append(Told(self._at_us, vehicle.offer_w, vehicle.draw_w))

    def feedback_read(self) -> None:
        bouncing = map(self.bouncing, range(len(self._station.modules)))
        self._reads.append(list(zip(self.contacts(), bouncing, strict=True)))

    def chips_read(self) -> None:
        self._last = self.contacts()

    def decided(self, readings: Readings, writes: Writes) -> None:
        m = self._decided
        self._decided += 1
        unit = self._charger.cabinet.modules[m]
        now_us = self._charger.time.now_us
        none = [[False] * len(row) for row in self._last]
        reads = self._reads or [list(zip(self._last, none, strict=True))]
        self.moments[m].append(
            Moment(
                self._at_us,
                self._began[m],
                self.as_told(*reads[0][m], readings.closed),
                self.as_told(*reads[-1][m], readings.closed_again),
                self._last[m],
                unit.wire,
                self._charger.cabinet.status(unit.id),
                readings,
                writes,
                self._charger.cabinet.status_wired,
                self._charger.cabinet.current_ma(unit.id),
                0 if unit.running else unit.discharging_v(now_us),
            )
        )

    def as_told(self, contacts: list[bool], bouncing: list[bool], told: Any) -> list[bool]:
        """A contact that bounces in its time is where it is read to be; one that is late is open,
        and read wrong."""
        return [
            tells if bounces else is_closed
            for is_closed, tells, bounces in zip(contacts, told, bouncing, strict=True)
        ]

    def bouncing(self, m: int) -> list[bool]:
        now_us = self._charger.time.now_us
        in_time_us = self._station.timing.contactor_release_ms * 1000
        return [
            c.noisy(now_us)
            and not c.aux_fault
            and (c.latched or now_us - c.latched_at_us < in_time_us)
            for c in self.contactors(m)
        ]

    def contacts(self) -> list[list[bool]]:
        return [
            [contactor.closed for contactor in self.contactors(m)]
            for m in range(len(self._station.modules))
        ]

    def contactors(self, m: int) -> list[Any]:
        return list(self._charger.cabinet.of_module[m + 1])

    def module(self, m: int, closed: list[bool]) -> Module:
        now_us = self._charger.time.now_us
        unit = self._charger.cabinet.modules[m]
        feeds = self._charger.cabinet.status(unit.id)
        ran_until_us = unit.changed_us + (unit.rise_us if unit.reported else 0)
        off_since_us = max(unit.disabled_us, ran_until_us) if unit.changed_us >= 0 else LONG_AGO_US
        contactors = self.contactors(m)
        moved_us = [c.latched_at_us if c.latched_at_us >= 0 else LONG_AGO_US for c in contactors]
        return Module(
            enable=unit.wire,
            feeds=feeds,
            off_ms=0 if unit.wire or feeds else now_us - off_since_us,
            coil=[c.latched for c in contactors],
            coil_ms=[now_us - at_us for at_us in moved_us],
            closed=closed,
        )


def recorded(
    monkeypatch: pytest.MonkeyPatch, station: Station, trace: DemandTrace, *faults: str
) -> Recorder:
    """Play that trace, with those faults."""
    charger = assembly.simulated_charger(station)
    recorder = Recorder(station, charger)
    real_floating, real_step = charger.cabinet.floating_word, switching.step
    real_lines, real_chips = PowerModuleController.read, ContactorController.read
    looking: list[FeedbackChip] = []

    def floating_word(position: int) -> int:
        if looking:  # and does not look all registers over
            recorder.feedback_read()
        return real_floating(position)

    def looks(look: Callable[[FeedbackChip], bool]) -> Callable[[FeedbackChip], bool]:
        def noted(chip: FeedbackChip) -> bool:
            looking.append(chip)
            try:
                return look(chip)
            finally:
                looking.remove(chip)

        return noted

    def read_lines(self: PowerModuleController) -> Any:
        recorder.lines_read()
        return real_lines(self)

    def read_chips(self: ContactorController, patience_s: float, scans: int = 1) -> Any:
        reading = real_chips(self, patience_s, scans)
        recorder.chips_read()
        return reading

    def step(ops: Any, times: Any, readings: Readings, *rest: Any) -> Writes:
        writes = real_step(ops, times, readings, *rest)
        recorder.decided(readings, writes)
        return writes

    monkeypatch.setattr(charger.cabinet, "floating_word", floating_word)
    for name in ("look", "look_again"):
        monkeypatch.setattr(FeedbackChip, name, looks(getattr(FeedbackChip, name)))
    monkeypatch.setattr(PowerModuleController, "read", read_lines)
    monkeypatch.setattr(ContactorController, "read", read_chips)
    monkeypatch.setattr(switching, "step", step)
    loop.Run(
        station,
        charger,
        trace,
        injections=[parse(fault) for fault in faults],
        longest_skip_ms=0,
    ).play(trace.last_ms)
    return recorder


def in_us(station: Station) -> Timing:
    """The station's times in the cabinet's own unit."""
    times = station.kernel_timing
    return times._replace(
        current_decay_ms=times.current_decay_ms * 1000,
        module_discharge_ms=times.module_discharge_ms * 1000,
        contactor_operate_ms=times.contactor_operate_ms * 1000,
        contactor_release_ms=times.contactor_release_ms * 1000,
    )


def as_scan(moment: Moment) -> Scan:
    """The moment as the proofs write it; a valid bit that is not as the contact was flipped."""
    read = moment.readings
    told = zip([*read.closed, *read.closed_again], [*moment.first, *moment.second], strict=True)
    return Scan(
        module=moment.module,
        closed_first=moment.first,
        closed_second=moment.second,
        closed_last=moment.last,
        enable_last=moment.enable_last,
        feeds_last=moment.feeds_last,
        readings=read,
        ages=diagnosis.restarted(len(moment.first)),
        flips=[read.valid and bit != contact for bit, contact in told],
        status_wired=moment.status_wired,
        contact_read=[read.valid] * len(moment.first),
    )


def as_interval(before: Moment, after: Moment) -> Interval:
    """What must have happened between two scans, if they are as they were seen."""
    passed_us = after.at_us - before.at_us
    coil = list(zip(before.module.coil, before.writes.coils, after.module.coil, strict=True))
    may = before.writes.may_switch
    done = [may and now == wanted for _, wanted, now in coil]
    return Interval(
        passed_ms=passed_us,
        elapsed_ms=passed_us,
        scans=1,
        enable_done=after.module.enable == before.writes.enable,
        coil_done=done,
        corrupted=[now and not (was or did) for (was, _, now), did in zip(coil, done, strict=True)],
        fell=[was and not (now or did) for (was, _, now), did in zip(coil, done, strict=True)],
        restarted=False,
    )


def complaints(station: Station, recorder: Recorder, assumed: frozenset[str]) -> list[str]:
    """Every scan, and every step from one to the next, that the plant does not allow."""
    times, found = in_us(station), []
    for number, moments in enumerate(recorder.moments, start=1):
        for place, moment in enumerate(moments):
            now = as_scan(moment)
            laws = plant.holds(assumed, times, now)
            if CLOSES in assumed:
                laws.append(plant.closes_in_time(station.timing.contactor_operate_ms * 1000, now))
            if not all(laws):
                found.append(f"module {number}, scan {place}: {moment}")
            if place + 1 < len(moments):
                after = moments[place + 1]
                during = as_interval(moment, after)
                laws = plant.passes(
                    assumed, times, as_scan(moment), moment.writes, during, as_scan(after)
                )
                if SPACING in assumed:
                    scan_us = station.timing.scan_ms * 1000
                    first_us = moments[0].at_us
                    phases = [(each.at_us - first_us) % scan_us for each in (moment, after)]
                    laws.append(plant.spaced(scan_us, during.passed_ms, *phases))
                if not all(laws):
                    found.append(f"module {number}, after scan {place}: {moment} {after}")
    return found


def intervals(recorder: Recorder) -> list[Interval]:
    """What must have happened between the scans of all modules."""
    return [as_interval(*pair) for moments in recorder.moments for pair in pairwise(moments)]


@pytest.mark.parametrize("hardware", [{}, {"status_pins": []}])
def test_a_handover_is_as_the_plant_allows(
    monkeypatch: pytest.MonkeyPatch, hardware: dict[str, Any]
) -> None:
    """With and without status inputs, and without any disturbance: every write is done, and nothing
    else moves a coil."""
    station = small_station(hardware)
    recorder = recorded(monkeypatch, station, HANDOVER)
    moments = [moment for of_module in recorder.moments for moment in of_module]
    assert sum(any(moment.module.coil) for moment in moments) > 100
    assert sum(moment.module.feeds for moment in moments) > 100
    assert sum(any(moment.writes.coils) for moment in moments) > 100
    assert {moment.status_wired for moment in moments} == {hardware == {}}
    assert complaints(station, recorder, plant.EVERY) == []
    assert all(during.enable_done for during in intervals(recorder))
    assert not any(any(during.corrupted) or any(during.fell) for during in intervals(recorder))


def test_what_the_terms_mean_is_so(monkeypatch: pytest.MonkeyPatch, station: Station) -> None:
    """Where the plant says that the current is gone there is none; nor a voltage where it says that
    the module is discharged; and guns draw what they were offered."""
    recorder = recorded(monkeypatch, station, HANDOVER)
    times, gone, discharged = in_us(station), 0, 0
    for moment in (moment for moments in recorder.moments for moment in moments):
        if plant.current_gone(times, moment.module):
            gone += 1
            assert moment.current_ma == 0
        if moment.module.off_ms >= times.module_discharge_ms:
            discharged += 1
            assert moment.terminal_v < 60
    assert min(gone, discharged) > 100
    lead_us = station.timing.offer_lead_ms * 1000
    for of_gun in recorder.told:
        assert max(told.draws_w for told in of_gun) > 0
        for place, now in enumerate(of_gun):
            assert any(
                plant.obeys(lead_us, now.at_us - then.at_us, then.offer_w, now.draws_w)
                for then in of_gun[: place + 1]
            )


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("weld 1:1 @ 0s", {OPENS}),
        ("late-release 1:1 @ 0s", {OPENS}),
        ("failed-open 1:1 @ 0s", {CLOSES}),
        ("late-operate 1:1 @ 0s", {CLOSES}),
        ("spontaneous-open 1:1 @ 3s", {CLOSES}),
        ("spontaneous-close 2:1 @ 3s", {OPENS, STAYS_OPEN}),
        ("aux-stuck-open 1:1 @ 2s", {ONE_FLIP}),
        ("aux-stuck-closed 2:1 @ 2s", {ONE_FLIP}),
        ("aux-chatter 1:1 @ 2s", {ONE_FLIP}),
        ("module-stuck-on 3 @ 1s", {NEEDS_ENABLE}),
        ("line-high 18 @ 1s", {SOLE_OWNER}),
        ("line-low 16 @ 3s", {SOLE_OWNER, LINES}),
        # The only expander of its kind: no scan is verified, and the coil supply goes within one.
        ("timeout 0x24 @ 3s", {CLOSES}),
    ],
)
def test_a_fault_breaks_its_assumptions_and_no_other(
    monkeypatch: pytest.MonkeyPatch, station: Station, fault: str, broken: set[str]
) -> None:
    recorder = recorded(monkeypatch, station, HANDOVER, fault)
    for one in broken:
        assert complaints(station, recorder, plant.EVERY - broken | {one}) != []
    assert complaints(station, recorder, plant.EVERY - broken) == []


@pytest.mark.parametrize(
    "fault",
    [
        "module-dead 1 @ 3s",
        "estop @ 3s",
        "nack 0x20 @ 3s for 100ms",
        "flip-read 0x24 @ 2s",
        "flip-write 0x20 @ 2s",
        "wrong-chip 0x20 @ 2s",
        "drop-write 0x20 @ 2s",
        "brown-out 0x20 @ 3s",
    ],
)
def test_disturbances_that_the_plant_allows(
    monkeypatch: pytest.MonkeyPatch, station: Station, fault: str
) -> None:
    recorder = recorded(monkeypatch, station, HANDOVER, fault)
    assert complaints(station, recorder, plant.EVERY) == []


def test_a_false_trace_is_not_allowed(monkeypatch: pytest.MonkeyPatch, station: Station) -> None:
    """An expander that claims a coil it does not drive is noticed."""
    recorder = recorded(monkeypatch, station, HANDOVER)
    moment = recorder.moments[0][200]
    lie = moment.readings._replace(latch=[not bit for bit in moment.readings.latch])
    recorder.moments[0][200] = moment._replace(readings=lie)
    found = complaints(station, recorder, plant.EVERY)
    assert len(found) == 1
    assert complaints(station, recorder, plant.EVERY - {CHIPS}) == []
