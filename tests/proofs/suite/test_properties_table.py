"""The README says of each property what its obligation says."""

from pathlib import Path

from proofs import manifest
from proofs.obligation import PROVED
from proofs.suite import properties_table

README = Path(__file__).parents[3] / "README.md"


def test_the_table_is_what_the_obligations_say() -> None:
    text = README.read_text(encoding="utf-8")
    assert properties_table.BEGIN in text
    assert properties_table.in_page(text) == text


def test_what_it_lists_is_proved() -> None:
    there = manifest.obligations()
    assert {there[name].expected for name in properties_table.CHOSEN} == {PROVED}
