"""The simulated cabinet and the plant of the proofs are one world: what the controller meets in
simulation is replayed, scan by scan and module by module, against the plant relation, which is made
of plain functions and judges constants as it judges terms."""

from typing import Any, NamedTuple

import pytest

from hardware.contactors import ContactorController
from hardware.modules import PowerModuleController
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import parse
from proofs import plant
from proofs.plant import CHIPS, CLOSES, MIRROR, ONE_FLIP, OPENS, Interval, Module, Scan
from verified_alloc import Station, run
from verified_alloc.compare.traces import DemandChange, DemandTrace
from verified_alloc.health import kernel_timing
from verified_alloc.kernel import diagnosis, switching
from verified_alloc.kernel.diagnosis import Readings, Timing
from verified_alloc.kernel.switching import Writes

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
    return Station.from_tables(
        {
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


class Recorder:
    """Looks at the cabinet whenever the controller reads or decides. Guns and modules from 0."""

    def __init__(self, station: Station, charger: SimulatedCharger) -> None:
        self.moments: list[list[Moment]] = [[] for _ in station.modules]
        self._station, self._charger = station, charger
        self._at_us = 0
        self._began: list[Module] = []
        self._reads: list[list[list[bool]]] = []
        self._last: list[list[bool]] = []
        self._decided = 0

    def lines_read(self) -> None:
        """The last time before the chips are read, this begins a scan."""
        self._at_us, self._reads, self._decided = self._charger.time.now_us, [], 0
        closed = self.contacts()
        self._began = [self.module(m, closed[m]) for m in range(len(self._station.modules))]

    def feedback_read(self) -> None:
        self._reads.append(self.contacts())

    def chips_read(self) -> None:
        self._last = self.contacts()

    def decided(self, readings: Readings, writes: Writes) -> None:
        m = self._decided
        self._decided += 1
        unit = self._charger.cabinet.modules[m]
        reads = self._reads or [self._last]
        self.moments[m].append(
            Moment(
                self._at_us,
                self._began[m],
                self.as_told(m, reads[0][m], readings.closed),
                self.as_told(m, reads[-1][m], readings.closed_again),
                self._last[m],
                unit.wire,
                self._charger.cabinet.status(unit.id),
                readings,
                writes,
            )
        )

    def as_told(self, m: int, contacts: list[bool], told: Any) -> list[bool]:
        """A contact that bounces in its time is where it is read to be; one that is late is open,
        and read wrong."""
        now_us = self._charger.time.now_us
        in_time_us = self._station.timing.contactor_release_ms * 1000
        noisy = [
            c.noisy(now_us) and (c.latched or now_us - c.latched_at_us < in_time_us)
            for c in self.contactors(m)
        ]
        return [
            tells if bounces else is_closed
            for is_closed, tells, bounces in zip(contacts, told, noisy, strict=True)
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
    charger = run.simulated_charger(station)
    recorder = Recorder(station, charger)
    real_floating, real_step = charger.cabinet.floating_word, switching.step
    real_lines, real_chips = PowerModuleController.read, ContactorController.read

    def floating_word(position: int) -> int:
        recorder.feedback_read()
        return real_floating(position)

    def read_lines(self: PowerModuleController) -> Any:
        recorder.lines_read()
        return real_lines(self)

    def read_chips(self: ContactorController, deadline_s: float, scans: int = 1) -> Any:
        reading = real_chips(self, deadline_s, scans)
        recorder.chips_read()
        return reading

    def step(ops: Any, times: Any, readings: Readings, *rest: Any) -> Writes:
        writes = real_step(ops, times, readings, *rest)
        recorder.decided(readings, writes)
        return writes

    monkeypatch.setattr(charger.cabinet, "floating_word", floating_word)
    monkeypatch.setattr(PowerModuleController, "read", read_lines)
    monkeypatch.setattr(ContactorController, "read", read_chips)
    monkeypatch.setattr(switching, "step", step)
    run.Run(
        station,
        charger,
        trace,
        injections=[parse(fault) for fault in faults],
        longest_skip_ms=0,
    ).play(trace.last_ms)
    return recorder


def in_us(station: Station) -> Timing:
    """The station's times in the cabinet's own unit."""
    times = kernel_timing(station)
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
        status_wired=True,
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
            if not all(plant.holds(assumed, times, as_scan(moment))):
                found.append(f"module {number}, scan {place}: {moment}")
            if place + 1 < len(moments):
                after = moments[place + 1]
                during = as_interval(moment, after)
                laws = plant.passes(
                    assumed, times, as_scan(moment), moment.writes, during, as_scan(after)
                )
                if not all(laws):
                    found.append(f"module {number}, after scan {place}: {moment} {after}")
    return found


def test_a_handover_is_as_the_plant_allows(
    monkeypatch: pytest.MonkeyPatch, station: Station
) -> None:
    recorder = recorded(monkeypatch, station, HANDOVER)
    moments = [moment for of_module in recorder.moments for moment in of_module]
    assert sum(any(moment.module.coil) for moment in moments) > 100
    assert sum(moment.module.feeds for moment in moments) > 100
    assert complaints(station, recorder, plant.EVERY) == []


@pytest.mark.parametrize(
    ("fault", "broken"),
    [
        ("weld 1:1 @ 0s", OPENS),
        ("late-release 1:1 @ 0s", OPENS),
        ("aux-stuck-open 1:1 @ 2s", MIRROR),
    ],
)
def test_a_fault_breaks_its_assumption_and_no_other(
    monkeypatch: pytest.MonkeyPatch, station: Station, fault: str, broken: str
) -> None:
    recorder = recorded(monkeypatch, station, HANDOVER, fault)
    assert complaints(station, recorder, plant.EVERY) != []
    assert complaints(station, recorder, plant.EVERY - {broken, ONE_FLIP}) == []


@pytest.mark.parametrize(
    "fault", ["flip-read 0x24 @ 2s", "nack 0x20 @ 3s for 100ms", "late-operate 1:1 @ 0s"]
)
def test_disturbances_that_the_plant_allows(
    monkeypatch: pytest.MonkeyPatch, station: Station, fault: str
) -> None:
    recorder = recorded(monkeypatch, station, HANDOVER, fault)
    assert complaints(station, recorder, plant.EVERY - {CLOSES}) == []


def test_a_false_trace_is_not_allowed(monkeypatch: pytest.MonkeyPatch, station: Station) -> None:
    """An expander that claims a coil it does not drive is noticed."""
    recorder = recorded(monkeypatch, station, HANDOVER)
    moment = recorder.moments[0][200]
    lie = moment.readings._replace(latch=[not bit for bit in moment.readings.latch])
    recorder.moments[0][200] = moment._replace(readings=lie)
    found = complaints(station, recorder, plant.EVERY)
    assert len(found) == 1
    assert complaints(station, recorder, plant.EVERY - {CHIPS}) == []
