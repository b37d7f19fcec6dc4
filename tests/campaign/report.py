"""What a campaign found, as lines, Markdown and JSON."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from campaign.findings import LASTS, ONCE, SORTS, TWO, Findings, Seen, sort, without_place
from campaign.handover import MATRICES, station
from campaign.plan import KILLED_CHANGES, STAGES, Piece, faults_in_scans, finite

from hardware.simulated.monitor import EXCUSES

BEGIN, END = "<!-- filled by make campaign -->", "<!-- end of the campaign's figures -->"
TOLD = 20
"""Violations that are listed; the JSON holds them all."""

UNSEEN = "nobody could see which contactor closed"
"""Not the monitor's: told apart by `campaign.faults.unseen`."""

EXPLAINED = {
    "wire": "a fault that lasts corrupts each try to put a coil right, in this scan and the next,"
    " until its expander is given up; its modules go off in the scan that reads it",
    "command": "a deed of the controller that was right when it was done: what it told arrives just"
    " after the plant has changed by itself; the next scan reads it",
    "disturbance": "a module goes off in the scan that misreads it; the vehicle is surprised",
    "brown-out": "the chip has lost its supply: its coils fall, and the contactors open under load;"
    " the next scan reads it and disables what is affected",
    "reset": "the expanders are reset: their coils fall, and the contactors open under load; the"
    " next scan reads it and disables everything",
    "watchdog": "nobody pets the watchdog: its hardware has cut the enables, and no offer can be"
    " lowered; offers expire, a new process does the rest",
    "process lost": "nobody is there to lower an offer; it expires",
    "restart": "nobody is there to lower an offer; it expires",
    "line held": "something else holds an enable line high: only the watchdog's hardware can switch"
    " that module off",
    "module dead": "without status inputs a dead module cannot be seen; the gun's controller sees"
    " that it gets less",
    "emergency stop": "the emergency stop cuts the modules before any offer can fall; the next scan"
    " withdraws it",
    "watchdog back": "a new process pets the watchdog again; the gates give back what stood",
    "emergency stop released": "the gates give back what stood; the next scan withdraws it",
    "module stuck on": "the module runs on although told off; its gun is locked and its other"
    " modules go off",
    "module does not switch off": "the gun of a module that runs on is locked: its other modules"
    " go off at once",
    "module recovered": "the module came or went by itself; the next scan reads it",
    "auxiliary contact lies": "its feedback is wrong: its module goes off in the scan that reads"
    " it; the vehicle is surprised",
    "guns joined": "two guns are joined: all their modules go off at once; the vehicles are"
    " surprised",
    "weld broke free": "the welded contact parted by itself; the next scan reads it",
    "contactor freed": "the contactor that had failed open closed late, by itself",
    "weld": "the contact stayed closed although told to open",
    "coil supply": "the coils lose their supply behind the off-delay: contactors open under load;"
    " the next scan reads it and disables everything",
    "relay supply": "the relay supply is gone: enables are cut at once; the next scan withdraws the"
    " offers",
    "relay supply back": "the gates give back what stood; the next scan withdraws it",
    "coil open": "the coil has lost its wire: its contactor opens under load; the next scan reads"
    " it",
    "coil shorted": "the coil has a supply that nobody commanded and joins two guns; both guns'"
    " modules are off within the reaction time",
    "pin stuck": "an expander's pin is stuck: its coil disobeys; the next scan reads it",
    "timed opening": "a station that is stopped opens what does not switch off, after the wait",
    "spontaneous opening": "the contactor opened by itself; the next scan reads it",
    "spontaneous closing": "the contactor closed by itself and joins two guns; both"
    " guns' modules are off within the reaction time",
}


class Whole:
    """All pieces played so far, added up."""

    def __init__(self, seed: int, workers: int) -> None:
        self.seed, self.workers = seed, workers
        self.wall_s = 0.0
        self.resumed = False
        self.done: set[Piece] = set()
        self.total = Findings()
        self._of: dict[tuple[str, str], Findings] = {}

    def add(self, piece: Piece, findings: Findings) -> None:
        self.done.add(piece)
        self.total += findings
        for where in {"", piece.where}:
            stage = self._of.setdefault((piece.stage, where), Findings())
            stage += findings

    def of(self, stage: str, where: str = "") -> Findings:
        """What a stage has found, of one matrix or of all."""
        return self._of.get((stage, where), Findings())

    @property
    def bad(self) -> bool:
        return bool(self.total.violations or self.total.wrong)

    def longest_stray_us(self, of: str) -> int:
        """The longest wrong coil pattern after one fault of this sort."""
        strays = self.total.stray_us.items()
        return max((us for name, us in strays if sort(name) == of), default=0)

    def share(self, stage: str) -> str:
        """How much of what the stage has been played."""
        if stage == "random":
            return f"{self.of(stage).changes:,} changes"
        pieces = finite(stage, self.seed)
        done = [piece for piece in pieces if piece in self.done]
        if stage == "kill":
            return f"{len(done)} of {len(pieces)} changes"
        planned = sum(faults_in_scans(piece.where)[piece.number] for piece in pieces)
        return f"{self.of(stage).count:,} of {planned:,} faults"

    @property
    def double(self) -> int:
        """Faults that came in pairs."""
        return sum(count for name, count in self.total.faults.items() if " + " in name)

    def lines(self) -> list[str]:
        total = self.total
        least_ms = station("full").timing.contactor_min_response_ms
        lines = [
            f"{total.count} faults, {sum(total.struck.values())} of them struck; "
            f"{len(total.violations)} violations, {len(total.wrong)} otherwise wrong",
            *(f"{stage}: {self.of(stage).count} faults, {self.share(stage)}" for stage in STAGES),
            *(
                f"{matrix}: {self.of('every', matrix).count} of {sum(faults_in_scans(matrix))}"
                f" faults of its handover"
                for matrix in MATRICES
            ),
            "longest wrong coil pattern: "
            + ", ".join(f"{self.longest_stray_us(of)} us after {of}" for of in SORTS)
            + f"; minimum response {1000 * least_ms} us",
            f"{total.count / max(total.cpu_s, 1e-9):.0f} faults a second of CPU, "
            f"{total.scans / max(total.count, 1):.2f} scans a fault; {self.wall_s:.0f} s"
            f"{' and earlier ones' if self.resumed else ''} on {self.workers} processes",
        ]
        return [*lines, *total.violations[:TOLD], *total.wrong[:TOLD]]

    def as_json(self) -> str:
        told = {
            "faults": self.total.count,
            "double_faults": self.double,
            "planned": {matrix: sum(faults_in_scans(matrix)) for matrix in MATRICES},
            "stages": {stage: self.of(stage).as_json() for stage in STAGES},
            "violations": self.total.violations,
            "longest_wrong_coil_pattern_us": {of: self.longest_stray_us(of) for of in SORTS},
        }
        return json.dumps(told, indent=1)

    def as_markdown(self) -> str:
        total, least_ms = self.total, station("full").timing.contactor_min_response_ms
        rows = [
            f"Run on {date.today()} at commit {_commit()}, {platform.machine()},"
            f" {platform.python_implementation()} {platform.python_version()},"
            f" {os.cpu_count()} cores shared with other work.",
            "",
            "| stage | faults | struck | violations | otherwise wrong | complete |",
            "|---|---|---|---|---|---|",
        ]
        for stage, name in (
            ("every", "every (kind, transaction, bit) of a handover of each matrix"),
            ("kill", f"killed and restarted at every transaction of {KILLED_CHANGES} changes"),
            ("random", "single and double faults in random changes"),
        ):
            of = self.of(stage)
            rows.append(
                f"| {name} | {of.count:,} | {sum(of.struck.values()):,} | {len(of.violations)} |"
                f" {len(of.wrong)} | {self.share(stage)} |"
            )
        rows.append(
            f"| **all** | **{total.count:,}** | {sum(total.struck.values()):,} |"
            f" **{len(total.violations)}** | {len(total.wrong)} | |"
        )
        rows += [
            "",
            "What the monitor has excused, by its own names"
            " ([explained below](#what-the-monitor-excuses)):",
            "",
            "| excuse | times |",
            "|---|---|",
            *(f"| {excuse} | {total.excuses[excuse]:,} |" for excuse in EXCUSES),
            f"| {UNSEEN} | {total.unseen:,} |",
        ]
        rows += ["", "| handover of matrix | scans | faults | played |", "|---|---|---|---|"]
        for matrix in MATRICES:
            planned, played = faults_in_scans(matrix), self.of("every", matrix).count
            share = "all" if played == sum(planned) else f"{100 * played / sum(planned):.0f} %"
            rows.append(f"| {matrix} | {len(planned)} | {sum(planned):,} | {share} |")
        rows += [
            "",
            "The longest that a coil was as a fault of the wire had made it:"
            f" **{self.longest_stray_us(ONCE):,} us** after a fault that strikes once,"
            f" {self.longest_stray_us(LASTS):,} us after one that lasts,"
            f" {self.longest_stray_us(TWO):,} us after two; a contactor's minimum response is"
            f" {1000 * least_ms:,} us. {total.count / max(total.cpu_s, 1e-9):.0f} faults a second"
            f" of CPU; a fault was followed for"
            f" {total.scans / max(total.count, 1):.2f} scans on the"
            f" average, until its station's state was one whose future was known.",
            *self._longer_strays(1000 * least_ms),
            "",
            "| single fault | played | reported | longest wrong coil pattern, us |",
            "|---|---|---|---|",
        ]
        rows += [
            f"| {name} | {count:,} | {total.reported[name]:,} | {total.stray_us.get(name, 0)} |"
            for name, count in sorted(total.faults.items())
            if " + " not in name
        ]
        rows += [
            f"| two at once | {self.double:,} | {self._reported_doubles():,} |"
            f" {self.longest_stray_us(TWO)} |",
            "",
            f"Exposures that lasted longer than a contactor's minimum response ({least_ms} ms), the"
            " longest of each cause; none is a deed of the controller:",
            "",
            "| cause | rule | longest, us | largest current, A | after | why |",
            "|---|---|---|---|---|---|",
        ]
        rows += [
            f"| {cause} | {rule} | {round(1000 * seen.longest_ms):,} | {seen.current_a:.0f} |"
            f" {name} | {EXPLAINED.get(cause, seen.example.rpartition(': ')[0][-120:])} |"
            for (rule, cause), (name, seen) in sorted(self._longest().items())
            if seen.longest_ms > least_ms
        ]
        return "\n".join(rows)

    def _longer_strays(self, limit_us: int) -> Iterator[str]:
        """The faults after which a coil was wrong for longer than a contactor takes to move."""
        longer = {name: us for name, us in self.total.stray_us.items() if us > limit_us}
        if longer:
            yield ""
            yield (
                f"Longer than {limit_us:,} us, the longest first: each is a fault that lasts, or a"
                " second one, that corrupts, loses or delays the writes that would put the coil"
                " right, too, until the next scan or until the expander is given up. What may have"
                " moved by then is disabled by the scan that reads it:"
            )
            yield ""
            ranked = sorted(longer.items(), key=lambda item: -item[1])
            yield "; ".join(f"{name}: {us:,} us" for name, us in ranked[:TOLD]) + "."

    def _reported_doubles(self) -> int:
        return sum(count for name, count in self.total.reported.items() if " + " in name)

    def _longest(self) -> dict[tuple[str, str], tuple[str, Seen]]:
        longest: dict[tuple[str, str], tuple[str, Seen]] = {}
        for key, seen in self.total.exposures.items():
            name, rule, cause = key.split(" | ")
            cause = without_place(cause)
            if (rule, cause) not in longest or seen.longest_ms > longest[rule, cause][1].longest_ms:
                longest[rule, cause] = (name, seen)
        return longest


def fill(page: Path, whole: Whole) -> None:
    """Put the figures in their place in a page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    text = f"{before}{BEGIN}\n\n{whole.as_markdown()}\n\n{END}{after}"
    page.write_text(text, encoding="utf-8")


def _commit() -> str:
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"
