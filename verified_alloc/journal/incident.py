"""What the monitor of a simulated cabinet saw, as it is kept and told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Incident:
    """What the cabinet's monitor saw: a violation, or an exposure. Times since the start."""

    at_s: float
    rule: str
    gun: int | None
    module: int | None
    current_a: float
    duration_ms: float
    cause: str
    text: str
