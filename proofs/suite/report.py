"""Results for people and for machines: a table, JSON, JUnit, Markdown."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from proofs.obligation import REFUTED
from proofs.suite.mutation import Score, gaps
from proofs.suite.prove import GREEN, PENDING, RED, SKIPPED, Result

STYLES = {GREEN: "green", RED: "bold red", SKIPPED: "dim", PENDING: "yellow"}

MARKS = ("z3", "cvc5", "certificate", "vacuity", "mutants", "seconds")
NUMBERS = ("certificate", "mutants", "seconds")


def summary(results: Sequence[Result], seconds: float) -> str:
    """One line: how many of each."""
    states = Counter(result.state for result in results)
    counts = [
        f"{states[state]} {state}" for state in (GREEN, RED, SKIPPED, PENDING) if states[state]
    ]
    return f"{len(results)} obligations: {', '.join(counts)}; {seconds:.0f} s"


def marks(result: Result) -> list[str]:
    """What each instrument said of it, in the order of `MARKS`."""
    return [
        f"{result.verdict}{' (expected)' if result.expected == REFUTED else ''}",
        result.cvc5 or "-",
        result.certificate or "-",
        result.vacuity or "-",
        "-" if result.mutants is None else str(result.mutants),
        f"{result.seconds:.2f}",
    ]


def table(results: Sequence[Result], console: Console) -> None:
    """A row for each obligation, then every counterexample and what is red."""
    rows = Table(box=None, pad_edge=False)
    for head in ("claim", *MARKS):
        rows.add_column(head, justify="right" if head in NUMBERS else "left", no_wrap=True)
    rows.add_column("sentence", ratio=1)
    for result in results:
        rows.add_row(result.id, *marks(result), result.sentence, style=STYLES[result.state])
    console.print(rows)
    for result in results:
        if result.counterexample:
            console.print(f"\n[bold]{result.id}[/bold]: counterexample to", highlight=False)
            claimed = result.sentence.partition(" (It fails")[0]
            console.print(f"  {claimed}", markup=False, highlight=False, soft_wrap=True)
            console.print(result.counterexample, markup=False, highlight=False)
    for result in results:
        if result.state == RED:
            reasons = "; ".join(result.reasons)
            console.print(f"RED {result.id}: {reasons}", style="bold red", markup=False)


def as_json(
    results: Sequence[Result], scores: Sequence[Score], station: str, seconds: float
) -> dict[str, Any]:
    """Everything, by obligation."""
    return {
        "station": station,
        "green": not (gaps(scores) or any(result.state == RED for result in results)),
        "seconds": round(seconds, 2),
        "obligations": [_plain(result) for result in results],
        "mutants": {score.file: Counter(fate.state for fate in score.fates) for score in scores},
    }


def _plain(result: Result) -> dict[str, Any]:
    """All of it but the certificates' text."""
    return {name: value for name, value in result._asdict().items() if name != "certificates"}


def junit(results: Sequence[Result], scores: Sequence[Score], station: str, seconds: float) -> str:
    """A JUnit file, a test case for each obligation."""
    states = Counter(result.state for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"verified-alloc prove {station}",
        tests=str(len(results) + len(scores)),
        failures=str(states[RED] + sum(bool(gaps([score])) for score in scores)),
        skipped=str(states[SKIPPED] + states[PENDING]),
        time=f"{seconds:.2f}",
    )
    for result in results:
        file, _, name = result.id.partition(".")
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"proofs.{file}", name=name, time=f"{result.seconds:.2f}"
        )
        if result.state == RED:
            failure = ElementTree.SubElement(case, "failure", message="; ".join(result.reasons))
            failure.text = f"{result.sentence}\n{result.counterexample}"
        elif result.state != GREEN:
            ElementTree.SubElement(case, "skipped", message=result.verdict)
        else:
            ElementTree.SubElement(case, "system-out").text = result.sentence
    for score in scores:
        case = ElementTree.SubElement(
            suite, "testcase", classname="proofs.suite.mutants", name=score.file
        )
        if gaps([score]):
            ElementTree.SubElement(case, "failure", message="; ".join(gaps([score])))
        else:
            ElementTree.SubElement(case, "system-out").text = str(score)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def markdown(
    results: Sequence[Result], scores: Sequence[Score], station: str, seconds: float
) -> str:
    """A table for a CI summary; counterexamples of what is red below it."""
    lines = [
        f"### verified-alloc prove: {station}",
        "",
        summary(results, seconds),
        "",
        f"| | claim | sentence | {' | '.join(MARKS)} |",
        "|---|---|---|---|---|---:|---|---:|---:|",
    ]
    signs = {GREEN: "✅", RED: "❌", SKIPPED: "➖", PENDING: "⏳"}
    for result in results:
        sentence = result.sentence.replace("|", "\\|")
        lines.append(
            f"| {signs[result.state]} | `{result.id}` | {sentence} | {' | '.join(marks(result))} |"
        )
    lines += ["", *(f"* {score}" for score in scores), *(f"* ❌ {gap}" for gap in gaps(scores))]
    for result in results:
        if result.state == RED:
            lines += ["", f"**{result.id}**: {'; '.join(result.reasons)}"]
            lines += ["```", result.counterexample, "```"] if result.counterexample else []
    return "\n".join(lines) + "\n"
