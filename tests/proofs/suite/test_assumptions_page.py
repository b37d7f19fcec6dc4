"""The public page says what the proofs assume, and nothing else."""

from pathlib import Path

from proofs import manifest, plant
from proofs.suite import assumptions_page

PAGE = Path(__file__).parents[3] / "docs" / "assumptions.md"


def test_the_page_is_what_the_proofs_assume() -> None:
    assert PAGE.read_text(encoding="utf-8") == assumptions_page.page()


def test_every_assumption_says_what_breaks_without_it() -> None:
    there = list(manifest.obligations().values())
    breaking = assumptions_page.breaking(there)
    assert set(breaking) == plant.EVERY
    ids = {one.id for one in there}
    for names in breaking.values():
        assert names
        assert set(names) <= ids
