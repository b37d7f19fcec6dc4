"""The public page of assumptions, from `proofs.plant` and the manifest."""

from collections.abc import Mapping, Sequence

from proofs import manifest, plant
from proofs.obligation import PROVED, REFUTED, Obligation

INTRODUCTION = """\
# What the proofs assume

<!-- Written by docs/assumptions.py from proofs/plant.py; a test keeps it equal. -->

A proof says that the code is right *if the world is as assumed*. So the assumptions are where to
look: whoever builds a charger with verified-alloc must make each of them true. They are not
limitations of the code but statements about everything around it, and outside them nothing is
claimed.

None of them is decoration. Each is dropped in turn, and then a named obligation no longer holds:
`verified-alloc prove` shows its counterexample, step by step, as an expected failure. And none is
left out by accident: scans of the simulated cabinet, with and without faults, are replayed against
the very relation that the proofs use.
"""

REALITY = """\
## What "proved" covers, and what not

Proved, for the functions in `verified_alloc/kernel` that run in the charger:

* they do what their obligations say, in exact integer arithmetic, for all inputs of the stated
  domain, under the assumptions named with each;
* this is shown by Z3, and by cvc5 from exported text (`prove --full`); for the finite core there
  are certificates that a checker of a few lines, and ACL2's verified one, accept.

Trusted, not proved:

* the Python interpreter, the operating system and the computer;
* Z3 and cvc5 for what has no certificate; the translation of the kernel's functions to terms is
  those functions themselves, run on another algebra;
* what ties the kernel to the world: the loop that carries effects out, the drivers in `hardware/`,
  the parser of station files. They are tested against a simulated cabinet with an independent
  monitor, not proved;
* that the station file says what is built: matrix, powers, times, pins.
"""


def page() -> str:
    """The page, as Markdown."""
    there = list(manifest.obligations().values())
    parts = [INTRODUCTION, "## About the parts", ""]
    for assumption in plant.ASSUMPTIONS:
        parts += _one(assumption, there)
    parts += ["## Outside the model", "", "The design relies on these as well. They give the terms"]
    parts += ["above their meaning, so no obligation can break by them:", ""]
    parts += [f"* {sentence}" for sentence in plant.OUTSIDE]
    parts += ["", *_disturbances(), "", REALITY.rstrip()]
    return "\n".join(parts) + "\n"


def _disturbances() -> list[str]:
    """What the campaign disturbs a scan with, as the proofs see it."""
    head = ["disturbance", "proved, whatever it does", "assumed away", "tested only"]
    rows = [
        [
            each.kind,
            ", ".join(f"`{name}`" for name in each.proved) or "-",
            ", ".join(f"[{name}](#{name.lower()})" for name in each.assumed) or "-",
            each.tested,
        ]
        for each in plant.DISTURBANCES
    ]
    return [
        "## What disturbs a scan",
        "",
        "What [the campaign](campaign.md) plays beside faults of single parts:",
        "",
        *("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)),
    ]


def _one(assumption: plant.Assumption, there: Sequence[Obligation]) -> list[str]:
    used = [one.id for one in there if assumption.id in one.assumptions and one.expected == PROVED]
    return [
        f"### {assumption.id}",
        "",
        assumption.sentence,
        "",
        f"*Who must see to it*: {assumption.guarantor}.",
        "",
        f"*Without it*: {_breaks(breaking(there)[assumption.id])}.",
        "",
        f"*Used by*: {', '.join(f'`{name}`' for name in used)}.",
        "",
    ]


def _breaks(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}` fails" for name in names)


def breaking(there: Sequence[Obligation]) -> Mapping[str, list[str]]:
    """By assumption, the obligations that are shown to fail without it."""
    found: dict[str, list[str]] = {assumption.id: [] for assumption in plant.ASSUMPTIONS}
    for one in there:
        name, without, dropped = one.id.partition(".without-")
        if without and one.expected == REFUTED:
            found[dropped].append(name)
    return found
