"""A sample of the campaign, and that it tells what it says it tells."""

import json
import os
import random
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from campaign import faults
from campaign.__main__ import _coming, kept_in
from campaign.faults import BUS_KINDS, Fault
from campaign.findings import SORTS, Findings
from campaign.handover import MATRICES, Handover, any_change, representative
from campaign.kill import Kill, kill_and_restart
from campaign.life import Ahead, Exposed, Lives
from campaign.picture import draw
from campaign.plan import KILLED_CHANGES, STAGES, Piece, faults_in_scans, finite, pieces
from campaign.remembered import ASKED, remembered
from campaign.report import BEGIN, END, Whole, fill
from campaign.slow_solver import SlowSolver
from campaign.snapshot import Snapshot
from campaign.stages import (
    _on_the_way,
    _taken_back,
    _worth,
    _wrong,
    every_fault,
    every_kill,
    looked_at,
    random_faults,
    restarts,
    suffer,
)
from campaign.state import NOT_TOLD, state_of
from sweep.branches import branch
from sweep.progress import Progress
from sweep.working_station import WorkingStation

from hardware import HardwareError
from hardware.simulated.bus import BusFault
from hardware.simulated.faults import Injection
from hardware.simulated.monitor import EXCUSES
from hardware.simulated.pins import LineFault
from verified_alloc.decide.allocate import KEPT
from verified_alloc.kernel import switching


def nothing_bad(findings: Findings) -> Findings:
    assert not findings.violations
    assert not findings.wrong
    return findings


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_representative_handovers_move_modules_from_gun_to_gun(matrix: str) -> None:
    with representative(matrix) as handover:
        before = {m: gun for gun, held in handover.at_work.live.items() for m in held}
        after = handover.undisturbed.feeds
        assert after is not None
        moved = [m for gun, held in after.items() for m in held if before.get(m, gun) != gun]
        assert moved
        assert handover.scans > 20


def test_every_fault_of_one_scan_that_switches() -> None:
    with representative("ring") as handover:
        transfers = []
        for _ in handover.each_scan():
            before = Snapshot(handover.at_work)
            transfers.append(len(faults.watched(handover.at_work).transfers))
            before.restore()
    scan = transfers.index(max(transfers))
    found = nothing_bad(every_fault("ring", scan, scan + 1))
    assert all(found.faults[kind] for kind in BUS_KINDS)
    assert found.count == faults_in_scans("ring")[scan]
    assert found.struck.total() > 0.95 * found.count
    assert 0 < max(found.stray_us.values()) < 5000


def test_every_fault_is_as_many_as_counted_by_hand() -> None:
    with representative("full") as handover:
        *_, scan = (looked_at(handover)[1] for _, _ in zip(range(9), handover.each_scan()))  # noqa: B905
        chips = list(handover.at_work.bus.chips)
        every = Counter(map(faults.name, faults.every(scan, handover.at_work)))
    sent = [[(message.flags, message.length) for message in one] for one in scan.transfers]
    read = sum(length for one in sent for flags, length in one if flags)
    written = sum(length for one in sent for flags, length in one if not flags)
    assert every == {
        "nack": len(sent),
        "timeout": len(sent),
        "no_transfer": len(sent),
        "flip_read": 8 * read,
        "flip_write": 8 * written,
        "nack_data": written,
        "wrong_chip": 7 * len(sent),
        "brown_out": len(chips) * sum(map(len, sent)),
        "line_error": len(scan.accesses),
        "stall": 3 * len(sent),
        "SDA held for a while": 2 * len(sent),
        "reset": 3 * len(sent),
        faults.RESET_LINE: 3 * len(sent),
        "line_stall": 3 * scan.accesses.count("drop_write"),
        **Counter(f"line_{kind}" for kind in scan.accesses),
        **({"drop_write": n} if (n := sum(one[0][1] > 1 for one in sent)) else {}),
    }


def test_a_process_is_killed_before_the_deed_that_was_named() -> None:
    with any_change(3) as handover:
        at_work, bus = handover.at_work, handover.at_work.bus
        for deed in (0, 1, 4):
            before = Snapshot(at_work)
            made = bus.transactions
            starts: list[int] = []
            at_work.start = lambda: starts.append(bus.transactions - made)  # type: ignore[method-assign] # noqa: B023
            kill_and_restart(at_work, Kill(deed, 0.02))
            del at_work.start  # type: ignore[method-assign]
            assert starts == [deed]  # the first deeds of a scan are all on the bus
            before.restore()


@pytest.mark.slow
def test_a_sample_of_random_faults() -> None:
    found = nothing_bad(random_faults(3))
    assert sum(" + " in name for name in found.faults) > 20
    assert found.exposures


def test_a_sample_of_kills() -> None:
    assert nothing_bad(every_kill(3)).count > 100


def test_a_process_may_be_killed_in_its_start_too() -> None:
    with any_change(3) as handover:
        at_work = handover.at_work
        before, start, died = Snapshot(at_work), at_work.start, []
        at_work.start = lambda: died.append(at_work.bus.transactions) or start()  # type: ignore[func-returns-value,method-assign]
        kill_and_restart(at_work, Kill(0, 0.02, again_before=30))
        assert len(died) == 2
        assert died[0] < died[1]  # it had come as far as the bus
        del at_work.start  # type: ignore[method-assign]
        assert handover.lives.follow(at_work).feeds == handover.undisturbed.feeds
        assert not at_work.bad()
        handover.back(before)


RESTARTS = 10


def test_a_sample_of_restarts_at_random_instants() -> None:
    assert nothing_bad(restarts(5, RESTARTS)).count == RESTARTS


@pytest.mark.sweep
@pytest.mark.xdist_group("campaigns")
def test_a_thousand_restarts_at_random_instants(capsys: pytest.CaptureFixture[str]) -> None:
    """No contactor opens under load, every one converges: half of them under a strict kernel, in
    any order of the lines; RESET is claimed low first, as LGPIO does."""
    seeds = range(1000 // RESTARTS)
    found = Findings()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        progress = Progress(capsys, "restarts", 1000)
        playing = pool.map(partial(restarts, number=RESTARTS), seeds)
        for each in progress.through(playing, lambda each: each.count):
            found += each
    assert nothing_bad(found).count == 1000
    progress.end("1000 restarts at random instants: no violation, all converge")


def drawn(handover: Handover, chance: random.Random, number: int) -> list[list[Fault]]:
    before = Snapshot(handover.at_work)
    watched = faults.watched(handover.at_work)
    before.restore()
    return [faults.some(chance, watched, handover.at_work) for _ in range(number)]


def fate(at_work: WorkingStation, chosen: list[Fault], lives: Lives) -> Ahead:
    for fault in chosen:
        faults.strike(at_work, fault)
    return lives.follow(at_work)


@pytest.mark.slow
def test_a_life_that_is_cut_short_tells_what_the_whole_one_tells() -> None:
    """To the end, in another process, with nothing known: the same is told, but for the duration of
    what was cut."""
    chance = random.Random("whole lives")
    compared = 0
    with any_change(4) as handover:
        at_work = handover.at_work
        for scan in handover.each_scan():
            if scan % 5:
                continue
            before = Snapshot(at_work)
            for chosen in drawn(handover, chance, 6):
                whole = branch(lambda: fate(at_work, chosen, Lives()))  # noqa: B023
                short = fate(at_work, chosen, handover.lives)
                before.restore()
                assert short == whole, chosen
                compared += 1
    assert compared > 20
    assert handover.lives.joined > 20


def test_a_snapshot_brings_everything_back() -> None:
    with any_change(2) as handover:
        at_work = handover.at_work
        before, state = Snapshot(at_work), state_of(at_work)
        first = branch(lambda: (at_work.go_on(1), state_of(at_work))[1])
        for fault in (BusFault("brown_out", 0x20, 3), BusFault("nack", None, 0, None)):
            at_work.bus.inject(fault)
            at_work.go_on(1)
            assert state_of(at_work) != first
            before.restore()
        assert state_of(at_work) == state
        at_work.go_on(1)
        assert state_of(at_work) == first


def counted(thing: object) -> list[str]:
    """Its fields that hold a yes or no and that nothing says have no bearing."""
    kind = type(thing)
    names = getattr(kind, "__slots__", None) or vars(thing)
    told = NOT_TOLD.get(kind, {})
    return [name for name in names if name not in told and isinstance(getattr(thing, name), bool)]


def test_whatever_counts_tells_states_apart() -> None:
    with any_change(2) as handover:
        at_work = handover.at_work
        cabinet, controller = at_work.cabinet, at_work.controller
        before, state = Snapshot(at_work), state_of(at_work)
        parts = [cabinet, cabinet.modules[3], *list(cabinet.contactors.values())[:3], controller]
        parts += [controller._decider, *controller._bank._outputs, *controller._bank._feedback]
        flipped = 0
        for part in parts:
            for name in counted(part):
                setattr(part, name, not getattr(part, name))
                assert state_of(at_work).core != state.core, (part, name)
                before.restore()
                flipped += 1
        assert flipped > 40
        memory = controller._memory

        def remembers(**otherwise: object) -> None:
            controller._memory = memory._replace(**otherwise)  # type: ignore[arg-type]

        one_off = [*memory.ages[:2], memory.ages[2]._replace(off_ms=40), *memory.ages[3:]]
        promised = [memory.offers[0]._replace(promise_w=12_345), *memory.offers[1:]]
        changes = [
            lambda: remembers(ages=one_off),
            lambda: remembers(silence=[4, *memory.silence[1:]]),
            lambda: remembers(offers=promised),
            lambda: remembers(closed=[[not bit for bit in row] for row in memory.closed]),
            lambda: setattr(cabinet.vehicles[0], "offer_w", 12_345),
            lambda: setattr(at_work.bus.chips[0x20], "pointer", 3),
        ]
        for change in changes[:-1]:
            change()
            assert state_of(at_work).core != state.core
            before.restore()
        changes[-1]()  # each transfer begins by setting the pointer
        assert state_of(at_work) == state


def test_what_must_leave_nothing_is_told_when_it_does_not() -> None:
    with any_change(2) as handover:
        right = handover.undisturbed
        needed, moved = right.operations, right.operations + 2
        once, misread = [BusFault("nack", None, 0)], [BusFault("flip_read", None, 0, 1, 0)]
        failing, lasting = [LineFault("error")], [BusFault("nack", None, 0, None)]
        allowed = 2 + 2 * _on_the_way(handover)

        def wrong(chosen: list[Fault], **ahead: object) -> list[str]:
            return list(_wrong(handover, chosen, right._replace(**ahead)))  # type: ignore[arg-type]

        for chosen in (once, misread, failing, lasting):
            assert not wrong(chosen, operations=needed)
        assert wrong(once, operations=moved) == ["2 needless operations"]
        idle = next(
            contactor
            for pair, contactor in handover.at_work.cabinet.contactors.items()
            if not contactor.energised and pair[1] not in (right.feeds or {}).get(pair[0], ())
        )
        idle.energised = True
        assert _taken_back(handover) == 1
        assert not wrong(once, operations=moved)
        assert wrong(once, operations=moved + 1) == ["3 needless operations"]
        idle.energised = False
        assert not wrong(misread, operations=needed + allowed)
        assert wrong(misread, operations=needed + allowed + 1)
        assert not wrong(failing, operations=moved)
        for chosen in (once, misread, failing):
            assert wrong(chosen, feeds={1: (9,)})
            assert wrong(chosen, reported=("contactor 1:1 is welded",))
            assert not wrong(chosen, reported=("the I2C bus is disturbed: twice",))
        assert wrong(lasting, feeds=None) == ["neither fed as decided nor reported"]
        assert not wrong(lasting, feeds=None, reported=("contactor 1:1 is welded",))


def beside() -> int:
    """The seed of a change that a solver beside the scan decides."""
    for seed in range(10_000):
        with any_change(seed) as handover:
            if isinstance(handover.at_work._solve, SlowSolver):
                return seed
    raise AssertionError("no such change")


def test_after_a_restart_a_solver_owes_as_much_power_of_whatever_modules() -> None:
    with any_change(beside()) as handover:
        *alike, one, other = handover.at_work.station.module_power_w
        assert (set(alike), one, other) == ({40_000}, 20_000, 30_000)
        handover.at_work.asked_kw = {1: 80, 2: 40}
        owed = _worth(handover, {1: (1, 2), 2: (3,)})
        assert owed == _worth(handover, {1: (1, 8, 9), 2: (4,)})
        assert owed != _worth(handover, {1: (1, 8), 2: (4,)})
        assert owed != _worth(handover, {1: (1, 2, 3), 2: ()})
        assert _worth(handover, None) is None
    with any_change(2) as handover:
        assert len(set(handover.at_work.station.module_power_w)) == 1
        assert _worth(handover, {1: (1, 2)}) == _worth(handover, {1: (3, 4)}) == {1: 2}


def test_a_solver_beside_the_scan_can_be_put_back_to_where_it_was() -> None:
    """Of equal states the future is equal, also while a question is under way."""
    with any_change(beside()) as handover:
        at_work, solver = handover.at_work, handover.at_work._solve
        assert isinstance(solver, SlowSolver)
        at_work.ask({gun: abs(240 - kw) for gun, kw in at_work.asked_kw.items()})
        at_work.scan(skip=False)
        at_work.wait()
        assert at_work.state.allocation.policy == KEPT
        before, state = Snapshot(at_work), state_of(at_work)
        solver.asked += 1
        assert state_of(at_work) != state
        before.restore()
        ends = []
        for _ in range(2):
            for _ in range(20):
                at_work.scan(skip=False)
                at_work.wait()
            ends.append((state_of(at_work), at_work.state.allocation, at_work.live))
            before.restore()
            assert state_of(at_work) == state
        assert ends[0] == ends[1]
        assert ends[0][1].policy == "fair"


def test_a_controller_that_does_not_wait_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = switching.step

    def hasty(ops, timing, readings, ages, *rest):  # type: ignore[no-untyped-def]
        at_once = ages._replace(off_ms=10_000, settled_ms=[10_000] * len(ages.settled_ms))
        return right(ops, timing, readings, at_once, *rest)

    with representative("full") as handover:
        monkeypatch.setattr(switching, "step", hasty)
        assert Lives().follow(handover.at_work).violations


def end_of_the_process(at_work: WorkingStation, real: bool) -> list[object]:
    """What a line that fails in the middle of a scan leaves, the process being gone."""
    at_work.charger.pins.inject(LineFault("error", 5))
    with pytest.raises(HardwareError, match="GPIO access failed") as lost:
        at_work.scan(skip=False)
    if real:
        process = at_work._process
        assert process is not None
        process.__exit__(lost.type, lost.value, lost.tb)
    else:
        at_work.lose_device()
    offers = [vehicle.offer_w for vehicle in at_work.cabinet.vehicles]
    wires = [module.wire for module in at_work.cabinet.modules]
    assert not any(offers + wires)
    events = [event[1:] for event in at_work.monitor.exposures + at_work.monitor.violations]
    return [offers, wires, at_work.closed, at_work.charger.pins._levels, events]


def test_a_process_that_loses_a_line_ends_as_the_real_one() -> None:
    with any_change(4) as handover:
        at_work = handover.at_work
        assert any(vehicle.offer_w for vehicle in at_work.cabinet.vehicles)
        ends = [branch(partial(end_of_the_process, at_work, real)) for real in (True, False)]
        assert ends[0] == ends[1]
        assert not at_work.bad()


def test_a_line_that_fails_leaves_nothing_once_the_process_is_back() -> None:
    found = Findings()
    with representative("ring") as handover:
        for scan in handover.each_scan():
            if scan % 6 == 0:
                before, watched = looked_at(handover)
                for access in range(0, len(watched.accesses), 5):
                    suffer(handover, before, found, [LineFault("error", access)], f"scan {scan}")
    assert nothing_bad(found).reported["line_error"] == found.count > 30


def test_only_a_contactor_that_nobody_can_see_is_excused() -> None:
    with representative("full") as handover:
        at_work = handover.at_work
        closing = Injection("spontaneous-close", gun=1, module=1)
        gone = {fault: BusFault("nack", fault, 0, None) for fault in (None, 0x20, 0x24, 0x25)}
        assert faults.unseen(at_work, [gone[None], closing])
        assert faults.unseen(at_work, [gone[0x24], closing])
        assert faults.unseen(at_work, [BusFault("brown_out", 0x24, 0, 1), closing])
        assert not faults.unseen(at_work, [gone[0x20], closing])
        assert not faults.unseen(at_work, [gone[0x25], closing])
        assert not faults.unseen(at_work, [BusFault("nack", 0x24, 0, 1), closing])
        assert not faults.unseen(at_work, [gone[0x24]])
        assert not faults.unseen(at_work, [gone[0x24], Injection("weld", gun=1, module=1)])


def test_the_page_has_every_excuse_of_the_monitor() -> None:
    text = (Path(__file__).parents[2] / "docs" / "campaign.md").read_text(encoding="utf-8")
    table = text.partition("| excuse | excused | still blamed |\n")[2].splitlines()[1:]
    told = {line.split(" | ")[0].removeprefix("| ") for line in table if line.startswith("| ")}
    assert told - {"the same"} == {*EXCUSES}


def test_the_pieces_of_a_campaign() -> None:
    assert len(finite("kill", 0)) == KILLED_CHANGES == 200
    every = finite("every", 0)
    assert {piece.where for piece in every[:4]} == set(MATRICES)
    assert len(set(every)) == sum(len(faults_in_scans(matrix)) for matrix in MATRICES)
    stages = [piece.stage for piece in islice(pieces(STAGES, 0), len(every) + 205)]
    assert stages == ["every"] * len(every) + ["kill"] * 200 + ["random"] * 5
    ours, others = (set(islice(pieces(("random",), seed), 1000)) for seed in (0, 1))
    assert not ours & others


@pytest.mark.parametrize(
    ("spent", "only", "first"),
    [
        (0.7, None, "every"),
        (0.9, None, "random"),
        (0.9, ["every", "kill"], "every"),
        (0.9, ["kill"], "kill"),
    ],
)
def test_of_a_short_budget_something_is_left_for_what_is_random(
    spent: float, only: list[str] | None, first: str
) -> None:
    asked = Namespace(budget=1000.0, only=only, seed=0)
    coming = _coming(asked, {Piece("random", "", 0)}, time.monotonic() - spent * asked.budget)
    piece = next(coming)
    assert piece.stage == first
    assert piece != Piece("random", "", 0)


def test_what_cannot_be_played_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "live", lambda *_: 1 / 0)
    (violation,) = Piece("random", "", 3).play().violations
    assert "ZeroDivisionError" in violation


def test_a_campaign_that_was_killed_goes_on_from_its_last_whole_line(tmp_path: Path) -> None:
    found = Findings(faults=Counter({"nack": 3}), violations=["oh"])
    told = [Piece("random", "", number) for number in range(3)]
    lines = [json.dumps({"piece": piece, "findings": found.as_json()}) for piece in told]
    whole = ("\n".join(lines) + "\n").encode()
    path = tmp_path / "kept.jsonl"
    assert not list(kept_in(path))
    for cut in (0, 1, len(lines[0]), len(lines[0]) + 1, len(whole) - 1, len(whole)):
        path.write_bytes(whole[:cut])
        kept = list(kept_in(path))
        assert kept == [(piece, found) for piece in told[: whole[:cut].count(b"\n")]]
        with path.open("ab") as file:
            file.write((lines[2] + "\n").encode())
        assert list(kept_in(path)) == [*kept, (told[2], found)]


def test_a_report_and_its_picture(tmp_path: Path) -> None:
    found = Findings(scans=9, cpu_s=1.0)
    wire = Exposed("S6", "disturbance", "a vehicle was surprised", 12.5, 80.0)
    found.add("nack", True, Ahead(exposures=(wire,), stray_us=400), [], "scan 1")
    found.add("line_error", True, Ahead(reported=("ended: lost",)), [], "scan 2")
    found.add("nack + weld", True, Ahead(stray_us=900), [], "scan 3")
    found.add("nack for ever", True, Ahead(violations=("bad",)), [], "scan 4")
    whole = Whole(seed=0, workers=2)
    whole.add(Piece("random", "", 0), found)
    assert [whole.longest_stray_us(of) for of in SORTS] == [400, 0, 900]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    fill(page, whole)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| **all** | **4** | 4 | **1** | 0 | |" in text
    assert "| disturbance | S6 | 12,500 | 80 | nack |" in text
    assert "**400 us** after a fault that strikes once, 0 us after one that lasts" in text
    for matrix in MATRICES:
        planned = faults_in_scans(matrix)
        assert f"| {matrix} | {len(planned)} | {sum(planned):,} | 0 % |" in text
    draw(tmp_path / "page.png", whole)
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_findings_come_back_from_json() -> None:
    found = Piece("random", "", 8).play()
    assert found.exposures
    assert Findings.from_json(json.loads(json.dumps(found.as_json()))) == found


@pytest.mark.slow
def test_what_is_remembered_is_what_would_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Counter[str]()

    def checked(function: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
        def both(*args: Any) -> Any:
            asked[function.__name__] += 1
            fresh = function(*args)
            assert answer(*args) == fresh
            return fresh

        return both

    for (module, name), key in ASKED.items():
        function = getattr(module, name)
        monkeypatch.setattr(module, name, checked(function, remembered(function, key)))
    for matrix in ("full", "half"):  # not as many expanders in both
        assert not Piece("every", matrix, 0).play().violations
    assert all(asked[name] > 1000 for _, name in ASKED)
