"""Runs obligations and says whether each has its expected verdict."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, NamedTuple

import z3

from proofs import manifest, solver
from proofs.certificates.certificate import Certificate, Refused
from proofs.certificates.claims import FINITE
from proofs.certificates.finite import certificate, empty_cases
from proofs.obligation import PROVED, REFUTED, UNKNOWN, Claim, Obligation
from proofs.suite import purity
from verified_alloc.station.model import Station
from verified_alloc.station.proof_record import proved_part

COVER_BUDGET = 30_000_000
SECOND_OPINION_S = 300.0
SEEDS = (1, 2)
SPREAD = 20.0
"""With other seeds, the resources may differ by this factor, beyond a floor of a million."""
FLOOR = 1_000_000

GREEN, RED, SKIPPED, PENDING = "green", "red", "skipped", "pending"


class Result(NamedTuple):
    """What came of one obligation on one station."""

    id: str
    sentence: str
    proves: tuple[str, ...]
    domain: str
    assumptions: tuple[str, ...]
    expected: str
    verdict: str
    """Z3's: `proved`, `refuted`, `unknown`; else what else there is to say."""
    state: str
    """`green`, `red`, `skipped` (not about this station) or `pending`."""
    reasons: tuple[str, ...] = ()
    """Why it is red."""
    counterexample: str = ""
    witness: str = ""
    """An example that satisfies the hypotheses."""
    vacuity: str = ""
    """How many of its cases were shown possible, as `3/3`."""
    cvc5: str = ""
    """The second opinion, if asked."""
    certificate: str = ""
    """How many steps its checked certificates take; empty where it is not of the finite core, or
    none was asked for."""
    mutants: int | None = None
    """How many mutants of the kernel it was the first to notice, if they were made."""
    certificates: tuple[Certificate, ...] = ()
    resources: int = 0
    solver_s: float = 0.0
    cvc5_s: float = 0.0
    seconds: float = 0.0


def prove(
    station: Station,
    only: Sequence[str] = (),
    jobs: int | None = None,
    full: bool = False,
    certified: bool = False,
    watch: Callable[[Result, int], None] = lambda result, total: None,
) -> list[Result]:
    """Every obligation of the manifest (or those whose id starts with one of `only`) on this
    station, in the order of the manifest. `full` adds cvc5 and other seeds, `certified` the
    certificates of the finite core (`CadicalMissing` where they cannot be made). `watch` is told
    each result as it comes, and how many there will be."""
    chosen = [name for name in manifest.ids() if selected(name, only)]
    results = {
        name: _mismatch(name, what) for name, what in (*manifest.differences(), *purity.faults())
    }
    total = len(set(chosen) | set(results))
    for result in results.values():
        watch(result, total)
    there = manifest.obligations()
    todo = [name for name in chosen if name in there and name not in results]
    for result in _run(todo, proved_part(station), jobs or os.cpu_count() or 1, full, certified):
        results[result.id] = result
        watch(result, total)
    order = {name: place for place, name in enumerate(manifest.ids())}
    return sorted(results.values(), key=lambda result: order.get(result.id, -1))


def selected(name: str, only: Sequence[str]) -> bool:
    """The id is one of those, or within one of those (`rule` is all of `rule.*`)."""
    return not only or any(name == prefix or name.startswith(f"{prefix}.") for prefix in only)


def _run(
    names: Sequence[str], station: Station, jobs: int, full: bool, certified: bool
) -> Iterator[Result]:
    if jobs <= 1 or len(names) <= 1:
        for name in names:
            yield _by_name(name, station, full, certified)
        return
    # A fresh process for each worker: Z3 keeps threads and tables that do not survive a fork.
    with ProcessPoolExecutor(min(jobs, len(names)), mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_by_name, name, station, full, certified) for name in names]
        try:
            for done in as_completed(running):
                yield done.result()
        finally:
            for future in running:
                future.cancel()


def _by_name(name: str, station: Station, full: bool, certified: bool) -> Result:
    return check(manifest.obligations()[name], station, full, certified)


def check(
    obligation: Obligation, station: Station, full: bool = False, certified: bool = False
) -> Result:
    """One obligation on one station."""
    started_s = time.perf_counter()
    try:
        result = _checked(obligation, station, full, certified)
    except Exception as error:
        # Whatever goes wrong while a theorem is built or judged, it is not proved.
        result = _result(obligation, "error", RED, (f"{type(error).__name__}: {error}",))
    return result._replace(seconds=time.perf_counter() - started_s)


def _result(
    obligation: Obligation, verdict: str, state: str, reasons: tuple[str, ...] = ()
) -> Result:
    return Result(
        obligation.id,
        obligation.sentence,
        obligation.proves,
        obligation.domain,
        obligation.assumptions,
        obligation.expected,
        verdict,
        state,
        reasons,
    )


def _mismatch(name: str, what: str) -> Result:
    return Result(name, what, (), "", (), "", "manifest", RED, (f"{name}: {what}",))


def _checked(obligation: Obligation, station: Station, full: bool, certified: bool) -> Result:
    if obligation.expected not in (PROVED, REFUTED):
        return _result(obligation, obligation.expected, PENDING)
    if not obligation.applies(station):
        return _result(obligation, "not in its domain", SKIPPED)
    claim = obligation.claim(station)
    verdict = solver.decide(claim, obligation.budget)
    reasons = []
    if verdict.answer != obligation.expected:
        reasons.append(f"it is {verdict.answer}, expected is {obligation.expected}")
    witness, covered, cases, empty = vacuity(claim)
    reasons += empty
    result = _result(obligation, verdict.answer, GREEN)._replace(
        counterexample=_shown(claim, verdict),
        witness=witness,
        vacuity=f"{covered}/{cases}",
        resources=verdict.resources,
        solver_s=verdict.seconds,
    )
    if full:
        answer, cvc5_s = solver.second_opinion(claim, SECOND_OPINION_S)
        result = result._replace(cvc5=answer, cvc5_s=cvc5_s)
        if answer != obligation.expected:
            reasons.append(f"cvc5 says {answer}")
        reasons += _seeds(claim, obligation, verdict)
    if certified:
        made, refused = _certified(obligation, station)
        result = result._replace(
            certificate=f"{sum(one.steps for one in made):,} steps" if made else "",
            certificates=tuple(made),
        )
        reasons += refused
    return result._replace(state=RED if reasons else GREEN, reasons=tuple(reasons))


def _certified(obligation: Obligation, station: Station) -> tuple[list[Certificate], list[str]]:
    """The checked certificates of what the obligation says of the finite core, and what is wrong
    with them."""
    made, wrong = [], []
    for claim in FINITE:
        if claim.of == obligation.id:
            try:
                made.append(certificate(claim, station))
            except Refused as refused:
                wrong.append(f"certificate of {claim.id}: {refused}")
            else:
                empty = empty_cases(claim, station)
                wrong += [f"certificate of {claim.id}: vacuous, {case}" for case in empty]
    return made, wrong


def vacuity(claim: Claim) -> tuple[str, int, int, list[str]]:
    """That the hypotheses, and with them each case that must be possible, can be met: an example,
    how many could, of how many, and what could not."""
    hypotheses = [solver.term(term) for term in claim.hypotheses]
    cases = [("its hypotheses", True), *claim.covers]
    witness, empty = "", []
    for name, case in cases:
        answer, model, _, _ = solver.satisfiable([*hypotheses, solver.term(case)], COVER_BUDGET)
        if answer != "sat":
            empty.append(f"vacuous: {name} - {answer}")
        elif not witness:
            witness = _brief(model)
    return witness, len(cases) - len(empty), len(cases), empty


def _brief(model: Any, most: int = 12) -> str:
    """The first values of a model."""
    names = sorted(str(variable) for variable in model.decls())
    values = {str(variable): str(model[variable]) for variable in model.decls()}
    text = ", ".join(f"{name} = {values[name]}" for name in names[:most])
    return text + (f", and {len(names) - most} more" if len(names) > most else "")


def _shown(claim: Claim, verdict: solver.Verdict) -> str:
    if verdict.answer != REFUTED:
        return ""
    return claim.show(verdict.model) if claim.show else _values(verdict.model)


def _values(model: Any) -> str:
    """All values of a model: the bits that are set and those that are not, then the numbers."""
    named = sorted((str(variable), model[variable]) for variable in model.decls())
    lines = []
    for label, wanted in (("true", z3.is_true), ("false", z3.is_false)):
        names = [name for name, value in named if wanted(value)]
        lines += [f"{label}: {', '.join(names)}"] if names else []
    numbers = [f"{name} = {value}" for name, value in named if not z3.is_bool(value)]
    return "\n".join([*lines, *([", ".join(numbers)] if numbers else [])])


def _seeds(claim: Claim, obligation: Obligation, verdict: solver.Verdict) -> list[str]:
    """What other seeds change that they must not."""
    wrong = []
    for seed in SEEDS:
        again = solver.decide(claim, obligation.budget, seed)
        least, most = sorted((again.resources + FLOOR, verdict.resources + FLOOR))
        if again.answer != verdict.answer:
            wrong.append(f"with seed {seed} it is {again.answer}")
        elif most > SPREAD * least and again.answer != UNKNOWN:
            wrong.append(
                f"seed {seed} takes {again.resources:,} resources, not {verdict.resources:,}"
            )
    return wrong
