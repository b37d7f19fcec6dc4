"""The solver's model allows exactly what the guard accepts. Pending until there is a model."""

from proofs.obligation import Claim, Obligation
from verified_alloc.station import Station


def _to_come(station: Station) -> Claim:
    """Nothing is claimed yet."""
    raise NotImplementedError("policies/constraint.py comes with issue 4")


OBLIGATIONS: tuple[Obligation, ...] = (
    Obligation(
        "constraint.allows-what-the-guard-accepts",
        "The model that OR-Tools is given allows exactly the allocations that the guard accepts,"
        " and every count of modules that it finds can be labelled.",
        ("guard.judge",),
        "the reference station and partial matrices",
        (),
        "pending issue 4",
        0,
        _to_come,
    ),
)
