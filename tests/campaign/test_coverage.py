"""The committed table of diagnostic coverage, a sample of it played again, and that it is whole."""

import csv

import pytest
from campaign.coverage import (
    BEGIN,
    COLUMNS,
    HARMLESS,
    NO,
    PAGE,
    TABLE,
    YES,
    as_csv,
    cells,
    rows_of,
    summary,
    unseen,
)
from campaign.singles import Single, singles

from hardware.mcp23017 import INTF

ROWS = rows_of(TABLE.read_text(encoding="utf-8"))
EVERY = list(singles())
SAMPLE = [single for single in EVERY if single.happens is not None][::11]


@pytest.mark.parametrize("single", SAMPLE, ids=lambda single: f"{single.part} {single.fault}")
def test_the_table_tells_what_happens(single: Single) -> None:
    assert cells(single) in ROWS


def test_the_table_has_every_fault_once() -> None:
    told = [(row["part"], row["fault"]) for row in ROWS]
    assert told == [(single.part, single.fault) for single in EVERY]
    assert len(set(told)) == len(told)


def test_what_is_not_seen_is_somebody_elses_to_see_and_what_does_not_matter_says_why() -> None:
    assert {row["seen"] for row in ROWS} == {YES, NO, HARMLESS}
    for row in ROWS:
        assert (row["seen"] == NO) <= bool(row["builder's to provide"])
        assert (row["seen"] == YES) == (not row["why not"])
        assert (row["seen"] == YES) == bool(row["seen after ms"])


def test_every_bit_of_every_register_that_configures_is_of_a_row() -> None:
    of_registers = [single.fault for single in EVERY if single.part == "expander register"]
    for chip in ("output", "feedback"):
        registers = {fault.split()[0] for fault in of_registers if f"the {chip} expander" in fault}
        flags = {register for register in registers if register.startswith("IOCON.")}
        assert len(flags) == 7  # the eighth bit holds nothing
        assert len(registers - flags) == INTF - 2 + 2  # IOCON stands twice; and the latches


def test_the_page_sums_the_table_up() -> None:
    page = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].splitlines()
    assert [line for line in page if line in {*summary(ROWS), *unseen(ROWS)}] == [
        *summary(ROWS),
        *unseen(ROWS),
    ]


def test_a_share_is_of_what_matters() -> None:
    def row(part: str, seen: str, after_ms: str = "") -> dict[str, str]:
        return {**dict.fromkeys(COLUMNS, ""), "part": part, "seen": seen, "seen after ms": after_ms}

    rows = [row("a", YES, "1200"), row("a", YES, "30"), row("a", NO), row("b", HARMLESS)]
    assert [line.split(" | ")[:6] for line in list(summary(rows))[2:]] == [
        ["| a", "3", "3", "2", "67 %", "1,200"],
        ["| b", "1", "0", "0", "-", "-"],
        ["| **all**", "4", "3", "2", "67 %", "1,200"],
    ]


def test_the_table_is_one_that_a_spreadsheet_reads() -> None:
    text = as_csv(ROWS)
    assert text == TABLE.read_text(encoding="utf-8")
    assert next(csv.reader(text.splitlines())) == list(COLUMNS)
