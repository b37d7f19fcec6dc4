"""What an obligation is: one plain sentence about kernel functions, and the theorem behind it."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

from proofs import plant
from verified_alloc.station.model import Station

PROVED = "proved"
REFUTED = "refuted"
UNKNOWN = "unknown"


class Claim(NamedTuple):
    """The theorem for one station: the hypotheses imply the goal.

    The terms are Z3's, or plain bools where nothing is left to choose.
    """

    hypotheses: tuple[Any, ...]
    goal: Any
    show: Callable[[Any], str] | None = None
    """A model that violates the goal, in words: guns, demands, modules, kW, the broken sentence."""
    covers: tuple[tuple[str, Any], ...] = ()
    """Cases, by name, that the hypotheses must leave possible, so that the claim is not empty."""


class Obligation(NamedTuple):
    """One row of the manifest."""

    id: str
    """`<kernel file>.<short-name>`."""
    sentence: str
    """What holds, in plain English."""
    proves: tuple[str, ...]
    """The kernel functions it is about, as `rule.take`."""
    domain: str
    """The stations for which it holds."""
    assumptions: tuple[str, ...]
    """Ids of the assumptions of `proofs.plant` that it uses."""
    expected: str
    """`proved`, `refuted` (it must fail, and shows its counterexample) or `pending issue N`."""
    budget: int
    """The solver's resource limit (Z3's `rlimit`) for one attempt; when all attempts go beyond it
    the verdict is unknown, which is red."""
    claim: Callable[[Station], Claim]
    """Builds the theorem by running the shipped functions on terms."""
    applies: Callable[[Station], bool] = lambda station: True
    """Whether the station is in the domain; elsewhere the obligation is skipped, and says so."""
    needs: tuple[str, ...] = ()
    """Those of its assumptions that are dropped, each once, to see it fail."""


BUDGET = 60_000_000


def anywhere(station: Station) -> bool:
    """Any station is in the domain."""
    return True


def obligation(
    id: str,
    *proves: str,
    domain: str,
    assumes: Collection[str] = (),
    needs: Collection[str] = (),
    expected: str = PROVED,
    budget: int = BUDGET,
    applies: Callable[[Station], bool] = anywhere,
) -> Callable[[Callable[..., Claim]], Obligation]:
    """Makes an obligation of a function that builds its theorem and says in its docstring, in one
    plain sentence, what holds.

    The function takes the station and, if it says anything of the world, what is `assumed` of it:
    `assumes` and `needs`, of which each is also dropped to see that the theorem fails without."""

    def of(build: Callable[..., Claim]) -> Obligation:
        assumptions = tuple(sorted({*assumes, *needs}, key=_number))
        return Obligation(
            id=id,
            sentence=" ".join((build.__doc__ or "").split()),
            proves=proves,
            domain=domain,
            assumptions=assumptions,
            expected=expected,
            budget=budget,
            claim=_under(build, assumptions),
            applies=applies,
            needs=tuple(sorted(needs, key=_number)),
        )

    return of


def without(of: Obligation, assumption: str) -> Obligation:
    """The same with one assumption dropped: it must fail."""
    left = tuple(each for each in of.assumptions if each != assumption)
    said = next(known.sentence for known in plant.ASSUMPTIONS if known.id == assumption)
    return of._replace(
        id=f"{of.id}.without-{assumption}",
        sentence=f"It takes assumption {assumption} ({said}): {of.sentence}",
        assumptions=left,
        expected=REFUTED,
        claim=_under(of.claim.func, left),  # type: ignore[attr-defined]
        needs=(),
    )


def collected(names: Mapping[str, Any]) -> tuple[Obligation, ...]:
    """The obligations among these names of a file, each followed by what fails without one of its
    assumptions."""
    found = [each for each in names.values() if isinstance(each, Obligation)]
    return tuple(
        each for one in found for each in (one, *[without(one, need) for need in one.needs])
    )


def _under(build: Callable[..., Claim], assumptions: Collection[str]) -> Callable[[Station], Claim]:
    if "assumed" not in inspect.signature(build).parameters:
        return build
    return partial(build, assumed=frozenset(assumptions))


def _number(assumption: str) -> int:
    return int(assumption.removeprefix("A"))
