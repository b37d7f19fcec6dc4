"""What an obligation is: one plain sentence about kernel functions, and the theorem behind it."""

from collections.abc import Callable
from typing import Any, NamedTuple

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
