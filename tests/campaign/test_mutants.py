"""A campaign in small finds every controller that is wrong on purpose."""

import random
from collections.abc import Callable, Iterable, Iterator

import pytest
from campaign import faults
from campaign.faults import Fault, Scan
from campaign.findings import Findings
from campaign.handover import any_change, representative
from campaign.kill import AWAY_S, Kill, deeds_of_a_scan
from campaign.stages import kill, looked_at, suffer
from sweep.working_station import WorkingStation

from hardware.contactors import ContactorController
from hardware.mcp23017 import MCP23017, Shown
from hardware.simulated.bus import BusFault
from hardware.simulated.faults import Injection
from hardware.simulated.wire_faults import bits
from verified_alloc.kernel import diagnosis, offer, switching

PAIRS_A_SCAN = 4
FIRST_FEEDBACK = 0x24
Patch = pytest.MonkeyPatch


def short_campaign(telling: "Telling") -> Iterator[Findings]:
    """In each scan of a handover, and then of random changes: the faults that tell, if it is known
    which, then one of each kind, a few pairs, and a kill."""
    draw = random.Random("in small")
    for change in (representative("ring"), any_change(3), any_change(5)):
        with change as handover:
            for scan in handover.each_scan():
                findings = Findings()
                before, watched = looked_at(handover)
                at_work = handover.at_work
                chosen = list(telling(at_work, watched))
                every = list(faults.every(watched, at_work))
                draw.shuffle(every)
                chosen += [[fault] for fault in {faults.name(one): one for one in every}.values()]
                chosen += [faults.some(draw, watched, at_work) for _ in range(PAIRS_A_SCAN)]
                for some in chosen:
                    suffer(handover, before, findings, some, f"scan {scan}")
                deeds = deeds_of_a_scan(at_work)
                before.restore()
                away_s = draw.choice(AWAY_S)
                how = Kill(draw.randrange(deeds), away_s)
                kill(handover, before, findings, how, f"scan {scan}")
                yield findings


def found(telling: "Telling") -> str | None:
    """The first thing that must not be."""
    try:
        for findings in short_campaign(telling):
            for bad in findings.violations + findings.wrong:
                return bad
    except AssertionError as error:  # not even the undisturbed change is as it should be
        return str(error)
    return None


def hurried(**times_ms: int) -> Callable[[Patch], None]:
    """A step that waits for less than it must."""

    def patch(monkeypatch: Patch) -> None:
        right = switching.step
        monkeypatch.setattr(
            switching,
            "step",
            lambda ops, timing, *rest: right(ops, timing._replace(**times_ms), *rest),
        )

    return patch


def enable_before_feedback(monkeypatch: Patch) -> None:
    right = switching.step

    def step(ops, timing, readings, ages, *rest):  # type: ignore[no-untyped-def]
        readings = readings._replace(closed=readings.latch, closed_again=readings.latch)
        return right(ops, timing, readings, ages._replace(settled_ms=[10_000] * 6), *rest)

    monkeypatch.setattr(switching, "step", step)


def accept_any_read_back(monkeypatch: Patch) -> None:
    right = MCP23017.write_word

    def write_word(self: MCP23017, word: int) -> Shown:
        right(self, word)
        return Shown(word, word)

    monkeypatch.setattr(MCP23017, "write_word", write_word)


def ignore_a_failed_write(monkeypatch: Patch) -> None:
    right = ContactorController.write

    def write(self, words, close_until_s):  # type: ignore[no-untyped-def]
        right(self, words, close_until_s)
        for chip in self._outputs:
            chip.unverified = False
        return frozenset()

    monkeypatch.setattr(ContactorController, "write", write)


def forget_to_latch(monkeypatch: Patch) -> None:
    monkeypatch.setattr(diagnosis, "contactor_faults", lambda *told: told[-1])


def wrong_offer_lead(monkeypatch: Patch) -> None:
    right = offer.lower
    monkeypatch.setattr(offer, "lower", lambda ops, _, *rest: right(ops, 40, *rest))


def retry_hides_a_fault(monkeypatch: Patch) -> None:
    right = ContactorController.read

    def read(self, patience_s, scans=1):  # type: ignore[no-untyped-def]
        reading = right(self, patience_s, scans)
        return reading._replace(answered=(True,) * len(reading.answered))

    monkeypatch.setattr(ContactorController, "read", read)


def no_debounce(monkeypatch: Patch) -> None:
    right = ContactorController.read

    def read(self, patience_s, scans=1):  # type: ignore[no-untyped-def]
        reading = right(self, patience_s, scans)
        return reading._replace(closed_again=reading.closed)

    monkeypatch.setattr(ContactorController, "read", read)


def restart_trusts_the_past(monkeypatch: Patch) -> None:
    right = diagnosis.restarted
    long_ms = 10_000

    def restarted(guns: int) -> diagnosis.Ages:
        return right(guns)._replace(off_ms=long_ms, settled_ms=(long_ms,) * guns)

    monkeypatch.setattr(diagnosis, "restarted", restarted)


MUTANTS = {
    "skips the discharge": hurried(module_discharge_ms=0),
    "opens under load": hurried(current_decay_ms=0),
    "enables before feedback": enable_before_feedback,
    "accepts any read-back": accept_any_read_back,
    "ignores a failed write": ignore_a_failed_write,
    "forgets to latch": forget_to_latch,
    "wrong offer lead": wrong_offer_lead,
    "a retry hides a fault": retry_hides_a_fault,
    "no debounce": no_debounce,
    "a restart trusts the past": restart_trusts_the_past,
}
Telling = Callable[[WorkingStation, Scan], Iterable[list[Fault]]]


def nothing_more(*_: object) -> Iterable[list[Fault]]:
    return []


def contacts_misread(at_work: WorkingStation, watched: Scan) -> Iterable[list[Fault]]:
    """Every bit of the first look at the first expander's contacts."""
    first = next(n for n, sent in enumerate(watched.transfers) if sent[0].address == FIRST_FEEDBACK)
    for bit in bits("flip_read", watched.transfers[first]):
        yield [BusFault("flip_read", None, first, 1, bit)]


def an_opening_that_nobody_reads(at_work: WorkingStation, _: Scan) -> Iterable[list[Fault]]:
    for gun, module in sorted(at_work.closed):
        opening = Injection("spontaneous-open", gun, module, at_us=at_work.cabinet.now_us)
        yield [BusFault("nack", None, 0, None), opening]


def a_contact_that_lies(at_work: WorkingStation, _: Scan) -> Iterable[list[Fault]]:
    for gun, module in sorted(at_work.closed):
        yield [Injection("aux-stuck-open", gun, module, at_us=at_work.cabinet.now_us)]


def writes_that_are_lost(*_: object) -> Iterable[list[Fault]]:
    yield [BusFault("drop_write", None, 0, None)]


def coils_written_wrong(_: WorkingStation, watched: Scan) -> Iterable[list[Fault]]:
    for number, sent in enumerate(watched.transfers):
        if bits("drop_write", sent):
            for bit in bits("flip_write", sent):
                yield [BusFault("flip_write", None, number, 1, bit)]


SHOWN_BY = {
    "accepts any read-back": coils_written_wrong,
    "ignores a failed write": writes_that_are_lost,
    "forgets to latch": a_contact_that_lies,
    "a retry hides a fault": an_opening_that_nobody_reads,
    "no debounce": contacts_misread,
}


SLOWLY = ("no debounce", "accepts any read-back")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in SLOWLY else n for n in MUTANTS],
)
def test_a_wrong_controller_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    assert found(SHOWN_BY.get(name, nothing_more))
