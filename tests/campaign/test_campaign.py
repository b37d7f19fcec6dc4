"""A sample of the campaign, and that it tells what it says it tells."""

import json
import random

import pytest
from campaign import faults
from campaign.faults import BUS_KINDS, Fault
from campaign.findings import Findings
from campaign.handover import MATRICES, Handover, any_change, representative
from campaign.life import Ahead, Lives
from campaign.plan import Piece, finite, pieces
from campaign.snapshot import Snapshot
from campaign.stages import every_fault, every_kill, random_faults
from campaign.state import state_of
from sweep.branches import branch
from sweep.working_station import WorkingStation

from hardware.simulated.bus import BusFault
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
    assert found.struck.total() > 0.95 * found.count
    assert 0 < max(found.stray_us.values()) < 5000


def test_a_sample_of_random_faults() -> None:
    found = Findings()
    for seed in (1, 3):
        found += nothing_bad(random_faults(seed))
    assert sum(" + " in name for name in found.faults) > 20
    assert found.exposures


def test_a_sample_of_kills() -> None:
    assert nothing_bad(every_kill(3)).count > 100


def drawn(handover: Handover, draw: random.Random, number: int) -> list[list[Fault]]:
    before = Snapshot(handover.at_work)
    watched = faults.watched(handover.at_work)
    before.restore()
    return [faults.some(draw, watched, handover.at_work) for _ in range(number)]


def fate(at_work: WorkingStation, chosen: list[Fault], lives: Lives) -> Ahead:
    for fault in chosen:
        faults.strike(at_work, fault)
    return lives.follow(at_work)


def test_a_life_that_is_cut_short_tells_what_the_whole_one_tells() -> None:
    """To the end, in another process, with nothing known: the same is told, but for the duration of
    what was cut."""
    draw = random.Random("whole lives")
    compared = 0
    with any_change(4) as handover:
        at_work = handover.at_work
        for scan in handover.each_scan():
            if scan % 5:
                continue
            before = Snapshot(at_work)
            for chosen in drawn(handover, draw, 6):
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


def test_a_controller_that_does_not_wait_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = switching.step

    def hasty(ops, timing, readings, ages, *rest):  # type: ignore[no-untyped-def]
        at_once = ages._replace(off_ms=10_000, settled_ms=[10_000] * len(ages.settled_ms))
        return right(ops, timing, readings, at_once, *rest)

    with representative("full") as handover:
        monkeypatch.setattr(switching, "step", hasty)
        assert Lives().follow(handover.at_work).violations


def test_the_pieces_of_a_campaign() -> None:
    assert len(finite("kill", 0)) == 200
    every = finite("every", 0)
    assert {piece.where for piece in every} == set(MATRICES)
    some = [
        piece for piece, _ in zip(pieces(("every", "kill", "random"), 0), range(9), strict=False)
    ]
    assert {piece.stage for piece in some} == {"every", "kill", "random"}
    assert len(set(some)) == 9


def test_findings_come_back_from_json() -> None:
    found = Piece("random", "", 8).play()
    assert found.exposures
    assert Findings.from_json(json.loads(json.dumps(found.as_json()))) == found
