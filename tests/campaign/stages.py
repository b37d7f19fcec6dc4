"""What a campaign consists of, in pieces of some seconds each: what each piece finds."""

import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from campaign import faults
from campaign.faults import Fault, Scan
from campaign.findings import Findings
from campaign.handover import Handover, any_change, representative
from campaign.kill import AWAY_S, Kill, at_any_instant, deeds_of_a_scan, kill_and_restart
from campaign.life import ENDED, Ahead, between, told
from campaign.snapshot import Snapshot
from sweep.working_station import Connected

from hardware.simulated.faults import Injection
from verified_alloc.control.alarms import ALARMS

PASSING = ("the I2C bus is disturbed", ENDED)
"""What is told and not latched."""
JOINED = re.compile(r"is joined with|joins guns|contactor .* closed while module .* is on gun")
HEALS = re.compile(
    r"^(expanders .* are (out of order|configured anew)|nobody knows which"
    rf"|{'|'.join(re.escape(text) for alarm in ALARMS for text in alarm[1:])})"
)
"""Told, and nobody has to do anything."""
AT_A_SCAN = 30
"""Random faults from one snapshot."""


def every_fault(matrix: str, first: int, last: int) -> Findings:
    """Every (kind, transaction, bit), in these scans of the representative handover."""
    with representative(matrix) as handover, _measured(handover) as findings:
        for scan in handover.each_scan():
            if first <= scan < last:
                before, watched = looked_at(handover)
                for fault in faults.every(watched, handover.at_work):
                    suffer(handover, before, findings, [fault], f"{matrix}, scan {scan}")
            if scan == last - 1:
                break
    return findings


def random_faults(seed: int) -> Findings:
    """Single and double faults in one random change."""
    draw = random.Random(f"faults {seed}")
    with any_change(seed) as handover, _measured(handover) as findings:
        for scan in handover.each_scan():
            before, watched = looked_at(handover)
            for _ in range(AT_A_SCAN):
                chosen = faults.some(draw, watched, handover.at_work)
                suffer(handover, before, findings, chosen, f"seed {seed}, scan {scan}")
    return findings


def every_kill(seed: int) -> Findings:
    """The process killed before every transfer and every edge of a line in one random change, and
    a new one after a random time: before and after the watchdog bites, the coil supply goes, offers
    expire."""
    draw = random.Random(f"kills {seed}")
    with any_change(seed, ["documented"]) as handover, _measured(handover) as findings:
        at_work = handover.at_work
        for scan in handover.each_scan():
            before = Snapshot(at_work)
            deeds = deeds_of_a_scan(at_work)
            before.restore()
            for deed in range(deeds + 1):
                how = Kill(deed, draw.choice(AWAY_S), draw.random() < 0.5, draw.randrange(1 << 16))
                kill(handover, before, findings, how, f"kill, seed {seed}, scan {scan}")
    return findings


def restarts(seed: int, number: int) -> Findings:
    """So many times, at any instant of one random change, the process is killed and restarted."""
    draw = random.Random(f"restarts {seed}")
    with any_change(seed, ["documented"]) as handover, _measured(handover) as findings:
        scans = Counter(draw.randrange(handover.scans) for _ in range(number))
        for scan in handover.each_scan():
            before = Snapshot(handover.at_work)
            deeds = deeds_of_a_scan(handover.at_work) if scans[scan] else 0
            before.restore()
            for _ in range(scans[scan]):
                how = at_any_instant(draw, deeds)
                kill(handover, before, findings, how, f"restart, seed {seed}, scan {scan}")
    return findings


def looked_at(handover: Handover) -> tuple[Snapshot, Scan]:
    """The station before its next scan, and what that does at the seams."""
    before = Snapshot(handover.at_work)
    scan = faults.watched(handover.at_work)
    before.restore()
    return before, scan


def kill(
    handover: Handover,
    before: Snapshot,
    findings: Findings,
    how: Kill,
    where: str,
) -> None:
    """Kill the process in the next scan: what comes of it, and back."""
    began = told(handover.at_work)
    try:
        kill_and_restart(handover.at_work, how)
        since = between(began, told(handover.at_work))
        ahead = handover.lives.follow(handover.at_work).after(since)
    except Exception as error:
        ahead = Ahead(violations=(f"raised {error!r}",))
    handover.back(before)
    wrong = [f"reported: {said}" for said in ahead.reported if not HEALS.search(said)]
    if ahead.feeds != handover.undisturbed.feeds:
        wrong.append(f"feeds {ahead.feeds}")
    wrong += [each.text for each in ahead.exposures if "opened" in each.text and each.current_a]
    findings.add("kill and restart", True, ahead, wrong, f"{where}, {how}")


def suffer(
    handover: Handover,
    before: Snapshot,
    findings: Findings,
    chosen: Sequence[Fault],
    where: str,
) -> None:
    """Let these faults strike in the next scan: what comes of it, and back."""
    at_work = handover.at_work
    hit = len(at_work.bus.faults_hit)
    for fault in chosen:
        faults.strike(at_work, fault)
    try:
        ahead = handover.lives.follow(at_work)
    except Exception as error:
        ahead = Ahead(violations=(f"raised {error!r}",))
    if ahead.violations and faults.unseen(at_work, chosen):
        joined = tuple(text for text in ahead.violations if JOINED.search(text))
        findings.unseen += bool(joined)
        ahead = ahead._replace(violations=tuple(set(ahead.violations) - set(joined)))
    struck = not faults.waiting(at_work) or len(at_work.bus.faults_hit) > hit
    handover.back(before)
    name = " + ".join(sorted(map(faults.name, chosen)))
    text = f"{where}: " + "; ".join(map(faults.said, chosen))
    findings.add(name, struck, ahead, _wrong(handover, chosen, ahead), text)


def _wrong(handover: Handover, chosen: Sequence[Fault], ahead: Ahead) -> Iterator[str]:
    latched = [
        said for said in ahead.reported if not (said.startswith(PASSING) or HEALS.search(said))
    ]
    plant = any(isinstance(fault, Injection) for fault in chosen)
    hidden = plant and not handover.at_work.cabinet.status_wired
    stands = any(
        ahead.reported.count(alarm.sentence) > ahead.reported.count(alarm.over) for alarm in ALARMS
    )
    if ahead.feeds is None and not (latched or stands or hidden):
        yield "neither fed as decided nor reported"
    if len(chosen) > 1 or ahead.violations:
        return
    passes, heals = faults.leaves_nothing(chosen[0]), faults.heals(chosen[0])
    undisturbed = handover.undisturbed.feeds
    if (passes or heals) and latched:
        yield f"reported: {latched}"
    # From idle a solver chooses other modules than from where they stood.
    others = heals and handover.at_work.station.policy.name != "documented"
    same = partial(_worth, handover) if others else _modules
    if (passes or heals) and same(ahead.feeds) != same(undisturbed):
        yield f"feeds {ahead.feeds}"
    misread = "flip_read" in faults.name(chosen[0])
    allowed = 2 * _taken_back(handover) + (2 + 2 * _on_the_way(handover) if misread else 0)
    if passes and handover.needless(ahead) > allowed:
        yield f"{handover.needless(ahead)} needless operations"


def _modules(feeds: Connected | None) -> object:
    return feeds


def _worth(handover: Handover, feeds: Connected | None) -> object:
    """By gun: how many modules, or where those differ, as much as it asked for of their power."""
    power_w = handover.at_work.station.module_power_w
    if len(set(power_w)) == 1:
        return feeds and {gun: len(modules) for gun, modules in feeds.items()}
    asked_kw = handover.at_work.asked_kw
    return feeds and {
        gun: min(1000 * asked_kw[gun], sum(power_w[module - 1] for module in modules))
        for gun, modules in feeds.items()
    }


def _taken_back(handover: Handover) -> int:
    """Contactors about to close for what was decided before: where the scan that takes them back
    is late, they close and open."""
    wanted = handover.undisturbed.feeds or {}
    return sum(
        contactor.energised and not contactor.closed and module not in wanted.get(gun, ())
        for (gun, module), contactor in handover.at_work.cabinet.contactors.items()
    )


def _on_the_way(handover: Handover) -> int:
    """Modules that do not feed yet the gun that they are allocated to. Where a module of that gun
    is misread, they may have to wait with an open contactor."""
    state = handover.at_work.state
    return sum(
        module not in state.live[gun - 1]
        for gun, modules in state.allocation.modules.items()
        for module in modules
    )


@contextmanager
def _measured(handover: Handover) -> Iterator[Findings]:
    findings, began_s = Findings(changes=1), time.process_time()
    yield findings
    findings.scans = handover.lives.scans
    findings.cpu_s = time.process_time() - began_s
