"""`verified-alloc prove`: runs the obligations and shows what came of them."""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from proofs import manifest
from proofs.certificates.certificate import CadicalMissing, archive, check_archive, installed
from proofs.suite import attest, report
from proofs.suite.mutants import files
from proofs.suite.mutation import Cost, Fate, Hunt, Score, gaps
from proofs.suite.prove import GREEN, RED, Result, prove, selected
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.model import Station


def run(
    station: Station,
    *,
    only: Sequence[str] = (),
    jobs: int | None = None,
    full: bool = False,
    certificates: Path | None = None,
    as_json: bool = False,
    junit: Path | None = None,
    markdown: Path | None = None,
    record: Path | None = None,
) -> int:
    """Prove this station, archive the certificates in that folder, and write its proof record if
    everything of it is proved. The exit code: 0 if every
    obligation has its expected verdict, else 1; `BadInput` for an id that does not exist, a number
    of jobs below 1, a file that cannot be written or a solver that is asked for and missing."""
    for prefix in only:
        if not any(selected(name, [prefix]) for name in manifest.ids()):
            raise BadInput(f"--only {shown(prefix)}: allowed is an id or its beginning, as rule")
    if jobs is not None and jobs < 1:
        raise BadInput(f"--jobs {jobs}: allowed are 1 and more")
    if full:
        _need_cvc5()
    if record and not record.absolute().parent.is_dir():
        raise BadInput(f"--attest {record}: no such folder; allowed is a file in one that is there")
    certified, why_not = _certified(certificates)
    sources = attest.sources() if record else None
    started_s = time.perf_counter()
    results = _watched(station, only, jobs, full, certified)
    seconds = time.perf_counter() - started_s
    wrong = _archived(certificates, results) if certificates else []
    scores: list[Score] = []
    if full and not only:
        scores = _hunted(results, jobs)
        wrong += gaps(scores)
        results = [_with_mutants(result, scores) for result in results]
        seconds = time.perf_counter() - started_s
    if junit:
        _write(junit, report.junit(results, scores, station.name, seconds))
    if markdown:
        _write(markdown, report.markdown(results, scores, station.name, seconds))
    if as_json:
        print(json.dumps(report.as_json(results, scores, station.name, seconds)))
    else:
        console = Console(width=None if sys.stdout.isatty() else 200)
        report.table(results, console)
        for score in scores:
            console.print(str(score), highlight=False)
        console.print(report.summary(results, seconds), highlight=False)
        if certificates:
            console.print(f"Certificates: {certificates}, with SHA256SUMS", highlight=False)
    green = not (wrong or any(result.state == RED for result in results))
    unwritten = ""
    if record and sources:
        unproved = "--only proves a part" if only else "" if green else "not everything is proved"
        unwritten = unproved or attest.write(record, station, results, sources, full)
        if unwritten:
            wrong.append(f"No proof record was written to {record}: {unwritten}.")
    for line in (*why_not, *wrong):
        print(line, file=sys.stderr)
    return int(not green or bool(unwritten))


def _certified(folder: Path | None) -> tuple[bool, tuple[str, ...]]:
    """Whether certificates can be made, and if not, a line that says so; `BadInput` where they were
    asked for."""
    try:
        installed()
    except CadicalMissing as missing:
        if folder:
            raise
        return False, (f"No certificates were made. {missing}",)
    return True, ()


def _archived(folder: Path, results: Sequence[Result]) -> list[str]:
    """Write all certificates; what is wrong with them when they are read back."""
    made = [certificate for result in results for certificate in result.certificates]
    try:
        archive(folder, made)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written, {error.strerror}") from None
    return check_archive(folder)


def _hunted(results: Sequence[Result], jobs: int | None) -> list[Score]:
    """The mutants of the kernel and their fates. Obligations that are red already notice
    nothing."""
    costs = {
        result.id: Cost(result.seconds, result.resources)
        for result in results
        if result.state == GREEN
    }
    with _bar("mutants") as bar:
        task = bar.add_task("", last="")

        def watch(fate: Fate, total: int) -> None:
            bar.update(task, advance=1, total=total, last=f"{fate.mutant.file}: {fate.state}")

        return list(Hunt(costs).all_of(files(), jobs or os.cpu_count() or 1, watch))


def _with_mutants(result: Result, scores: Sequence[Score]) -> Result:
    noticed = sum(fate.by == result.id for score in scores for fate in score.fates)
    return result._replace(mutants=noticed)


def _watched(
    station: Station, only: Sequence[str], jobs: int | None, full: bool, certified: bool
) -> list[Result]:
    """With a progress bar."""
    with _bar("proving") as bar:
        task = bar.add_task("", last="")

        def watch(result: Result, total: int) -> None:
            bar.update(task, advance=1, total=total, last=f"{result.id}: {result.verdict}")

        return prove(station, only, jobs, full, certified, watch)


def _bar(what: str) -> Progress:
    """A progress bar on stderr, where that is a terminal."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _need_cvc5() -> None:
    try:
        import cvc5  # noqa: F401
    except ImportError:
        raise BadInput(
            "--full needs cvc5, the second solver: pip install 'verified-alloc[proofs]'"
        ) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written, {error.strerror}") from None
