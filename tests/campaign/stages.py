"""What a campaign consists of, in pieces of some seconds each: what each piece finds."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from campaign import faults
from campaign.faults import Fault
from campaign.findings import Findings
from campaign.handover import Handover, any_change, representative
from campaign.life import Ahead
from campaign.snapshot import Snapshot

from hardware.simulated.faults import Injection

AT_A_SCAN = 20
"""Random faults from one snapshot."""


def every_fault(matrix: str, first: int, last: int) -> Findings:
    """Every (kind, transaction, bit), in these scans of the representative handover."""
    with representative(matrix) as handover, _measured(handover) as findings:
        for scan in handover.each_scan():
            if first <= scan < last:
                before = Snapshot(handover.at_work)
                watched = faults.watched(handover.at_work)
                before.restore()
                for fault in faults.every(watched, list(handover.at_work.bus.chips)):
                    _suffer(handover, before, findings, [fault], f"{matrix}, scan {scan}")
            if scan == last - 1:
                break
    return findings


def random_faults(seed: int) -> Findings:
    """Single and double faults in one random change."""
    draw = random.Random(f"faults {seed}")
    with any_change(seed) as handover, _measured(handover) as findings:
        findings.changes = 1
        for scan in handover.each_scan():
            before = Snapshot(handover.at_work)
            watched = faults.watched(handover.at_work)
            before.restore()
            for _ in range(AT_A_SCAN):
                chosen = faults.some(draw, watched, handover.at_work)
                _suffer(handover, before, findings, chosen, f"seed {seed}, scan {scan}")
    return findings


def _suffer(
    handover: Handover,
    before: Snapshot,
    findings: Findings,
    chosen: Sequence[Fault],
    where: str,
) -> None:
    at_work = handover.at_work
    hit = len(at_work.bus.faults_hit)
    for fault in chosen:
        faults.strike(at_work, fault)
    ahead = handover.lives.follow(at_work)
    struck = not faults.waiting(at_work) or len(at_work.bus.faults_hit) > hit
    before.restore()
    name = " + ".join(sorted(map(faults.name, chosen)))
    text = f"{where}: " + "; ".join(map(str, chosen))
    findings.add(name, struck, ahead, _wrong(handover, chosen, ahead), text)


def _wrong(handover: Handover, chosen: Sequence[Fault], ahead: Ahead) -> Iterator[str]:
    plant = any(isinstance(fault, Injection) for fault in chosen)
    hidden = plant and not handover.at_work.cabinet.status_wired
    if ahead.feeds is None and not ahead.reported and not hidden:
        yield "neither fed as decided nor reported"
    if len(chosen) == 1 and faults.leaves_nothing(chosen[0]) and not ahead.violations:
        if ahead.reported:
            yield f"reported: {ahead.reported}"
        if ahead.feeds != handover.undisturbed.feeds:
            yield f"feeds {ahead.feeds}"
        misread = "flip_read" in faults.name(chosen[0])
        if handover.needless(ahead) > (2 if misread else 0):
            yield f"{handover.needless(ahead)} needless operations"


@contextmanager
def _measured(handover: Handover) -> Iterator[Findings]:
    findings, began_s = Findings(), time.process_time()
    yield findings
    findings.scans = handover.lives.scans
    findings.cpu_s = time.process_time() - began_s
