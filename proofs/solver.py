"""Deciding one claim: Z3 within a budget, and cvc5 as the second opinion on the exported text."""

import time
from typing import Any, NamedTuple

import z3

from proofs.obligation import PROVED, REFUTED, UNKNOWN, Claim

STRATEGIES: tuple[dict[str, Any], ...] = (
    {"logic": "simple"},
    {},
    {"smt.arith.solver": 2},
    {"smt.relevancy": 0},
    {"logic": "QF_LIA"},
    {"smt.random_seed": 7, "smt.phase_selection": 5},
)
"""Solving times have long tails, so there are bounded attempts, each with other search settings:
first with a small part of the budget each, then with all of it. The first verdict counts. None of
them changes what is asked."""

FIRST_ROUND = 8
"""The part of the budget for an attempt in the first round: one in so many."""

WHOLE_ROUND = 24
"""The part of cvc5's time in which it is asked the whole question at once: one in so many."""

WALL_S = 120
"""A loose limit on one attempt; the budget proper is the resource limit, which is repeatable."""


class Verdict(NamedTuple):
    """What the solver says about a claim."""

    answer: str
    """`proved`, `refuted` or `unknown`."""
    model: Any
    """A violation, where refuted."""
    resources: int
    """Z3's resource count over all attempts."""
    seconds: float


def question(claim: Claim) -> list[Any]:
    """What must be unsatisfiable."""
    return [*map(term, claim.hypotheses), z3.Not(term(claim.goal))]


def term(value: Any) -> Any:
    """The value as a Z3 term."""
    if isinstance(value, bool):
        return z3.BoolVal(value)
    if isinstance(value, int):
        return z3.IntVal(value)
    # Not every reader of SMT-LIB knows a conjunction of nothing.
    return z3.substitute(value, (z3.And([]), z3.BoolVal(True)), (z3.Or([]), z3.BoolVal(False)))


def decide(claim: Claim, budget: int, seed: int = 0) -> Verdict:
    """Whether the hypotheses imply the goal. Where there are none, the parts of the goal are
    theorems of their own, and each has that budget."""
    pieces = [claim] if claim.hypotheses else parts(claim)
    resources, seconds = 0, 0.0
    for piece in pieces:
        answer, model, used, took_s = satisfiable(question(piece), budget, seed)
        resources, seconds = resources + used, seconds + took_s
        if answer != "unsat":
            verdict = REFUTED if answer == "sat" else UNKNOWN
            return Verdict(verdict, model, resources, seconds)
    return Verdict(PROVED, None, resources, seconds)


DECIDED = (PROVED, REFUTED)


def glance(claim: Claim, limit: int) -> str:
    """The verdict, if two attempts within that resource limit give one."""
    for piece in [claim] if claim.hypotheses else parts(claim):
        answer = "unknown"
        for settings in STRATEGIES[:2]:
            answer, _, _ = _attempt(question(piece), settings, limit, 0)
            if answer != "unknown":
                break
        if answer != "unsat":
            return {"sat": REFUTED}.get(answer, UNKNOWN)
    return PROVED


def satisfiable(terms: list[Any], budget: int, seed: int = 0) -> tuple[str, Any, int, float]:
    """`sat` with a model, `unsat` or `unknown`; the resources and the seconds that it took."""
    started_s = time.perf_counter()
    resources = 0
    answer, model = "unknown", None
    rounds = [(budget // FIRST_ROUND, settings) for settings in STRATEGIES]
    for limit, settings in [*rounds, *[(budget, settings) for settings in STRATEGIES]]:
        answer, model, used = _attempt(terms, settings, limit, seed)
        resources += used
        if answer != "unknown":
            break
    return answer, model, resources, time.perf_counter() - started_s


def _attempt(
    terms: list[Any], settings: dict[str, Any], limit: int, seed: int
) -> tuple[str, Any, int]:
    """One attempt: the answer, a model where there is one, the resources."""
    solver = _solver(settings.get("logic", ""))
    solver.set("timeout", WALL_S * 1000)
    solver.set("rlimit", limit)
    for name, value in settings.items():
        if name != "logic":
            solver.set(name, value)
    if seed:
        solver.set("smt.random_seed", seed)
    solver.add(*terms)
    before = _resources(solver)
    answer = str(solver.check())
    model = solver.model() if answer == "sat" else None
    return answer, model, _resources(solver) - before


def _solver(logic: str) -> Any:
    """Z3's solver for a logic, its usual one, or the one without any preparation, which for most
    of these claims is by far the fastest."""
    if logic == "simple":
        return z3.SimpleSolver()
    return z3.SolverFor(logic) if logic else z3.Solver()


def _resources(solver: Any) -> int:
    return sum(int(count) for name, count in solver.statistics() if name == "rlimit count")


def smt_lib(claim: Claim) -> str:
    """The claim's question as SMT-LIB 2, for any solver: `unsat` means proved. All claims are of
    one logic: linear integers, uninterpreted functions, no quantifiers."""
    solver = z3.Solver()
    solver.add(*question(claim))
    return "(set-logic QF_UFLIA)\n" + str(solver.to_smt2())


def parts(claim: Claim) -> list[Claim]:
    """The claim as one claim for each part of its goal, where that is a conjunction: it holds
    exactly if they all do."""
    return [claim._replace(goal=part) for part in conjuncts(term(claim.goal))]


def conjuncts(goal: Any) -> list[Any]:
    """What a conjunction says, one by one."""
    if not z3.is_and(goal):
        return [goal]
    return [part for child in goal.children() for part in conjuncts(child)]


def second_opinion(claim: Claim, wall_s: float) -> tuple[str, float]:
    """cvc5's verdict on what it is given as text, and its seconds: first the whole question (if
    there are hypotheses, as in `decide`), in a part of the time; then part by part in what is
    left."""
    started_s = time.perf_counter()
    answer, pieces = UNKNOWN, parts(claim)
    if claim.hypotheses and len(pieces) > 1:
        answer = _cvc5(smt_lib(claim), wall_s / WHOLE_ROUND)
    if answer == UNKNOWN:
        for piece in pieces:
            left_s = wall_s - (time.perf_counter() - started_s)
            answer = _cvc5(smt_lib(piece), left_s) if left_s > 0 else UNKNOWN
            if answer != PROVED:
                break
    return answer, time.perf_counter() - started_s


def _cvc5(text: str, wall_s: float) -> str:
    """Its answer to one exported question."""
    import cvc5

    terms = cvc5.TermManager()
    solver = cvc5.Solver(terms)
    solver.setOption("tlimit-per", str(max(1, int(wall_s * 1000))))
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "claim")
    symbols = parser.getSymbolManager()
    answer = UNKNOWN
    while not (command := parser.nextCommand()).isNull():
        said = str(command.invoke(solver, symbols)).strip()
        if said in ("sat", "unsat"):
            answer = {"unsat": PROVED, "sat": REFUTED}[said]
    return answer
