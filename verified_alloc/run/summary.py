"""What one run of a station did, as its cabinet and the cabinet's monitor saw it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from verified_alloc.journal.incident import Incident

J_PER_KWH = 3_600_000


@dataclass
class Summary:
    """Energies in kWh, by gun. Without a simulated cabinet nobody has seen what the fields after
    `proof` tell, and they are empty."""

    duration_s: float
    scans: int
    longest_to_power_s: float
    """From a demand's change to the live modules for the power it was granted."""
    faults: list[str]
    """Latched at the end."""
    reported: list[str]
    """What the controller reported, with the time since the start."""
    proof: str = ""
    """Whether what ran is what was proved, in words."""
    faults_injected: list[str] = field(default_factory=list)
    energy_kwh: dict[int, float] = field(default_factory=dict)
    unmet_kwh: dict[int, float] = field(default_factory=dict)
    """What the gun asked for, up to its maximum, and was not delivered."""
    operations: dict[str, int] = field(default_factory=dict)
    """Makes and breaks of each contactor that moved."""
    exposures: list[Incident] = field(default_factory=list)
    violations: list[Incident] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The summary for a person."""
        sentences = [f"Ran {self.duration_s:.1f} s in {self.scans} scans."]
        sentences += [f"Proof: {self.proof}."] if self.proof else []
        if self.energy_kwh:
            sentences += [
                f"Gun {gun}: {energy:.2f} kWh delivered, {self.unmet_kwh[gun]:.2f} kWh unmet."
                for gun, energy in self.energy_kwh.items()
            ]
            sentences.append(
                f"Together: {sum(self.energy_kwh.values()):.2f} kWh delivered, "
                f"{sum(self.unmet_kwh.values()):.2f} kWh unmet."
            )
        sentences.append(
            f"Longest from a demand's change to its power: {self.longest_to_power_s:.2f} s."
        )
        if self.operations:
            worst = max(self.operations, key=lambda pair: self.operations[pair])
            sentences.append(
                f"Contactor operations: {sum(self.operations.values())}, "
                f"most on {worst}: {self.operations[worst]}."
            )
        sentences += [f"Injected: {text}." for text in self.faults_injected]
        sentences += [f"Reported at {text}." for text in self.reported]
        if self.energy_kwh:
            sentences.append(f"Exposures (a fault caused them): {len(self.exposures)}.")
            sentences += _folded(self.exposures)
            sentences.append(f"Violations: {len(self.violations)}.")
            sentences += _folded(self.violations)
        return sentences


def _folded(incidents: Sequence[Incident]) -> list[str]:
    """A line for each incident; what came again and again of one cause is one line."""
    alike: dict[object, list[Incident]] = {}
    for incident in incidents:
        key = (incident.rule, incident.gun, incident.module, incident.cause)
        alike.setdefault(key, []).append(incident)
    return [
        f"  At {first.at_s:.3f} s {first.text}"
        + (f" ({len(more) + 1} times, last at {more[-1].at_s:.3f} s)." if more else ".")
        for first, *more in alike.values()
    ]
