"""Every fault of docs/faults.md, played again: the page tells what happens, and nothing that
happens is a violation."""

import pytest
from campaign.behaviour import PAGE, ROWS, STATION, Row, kinds, line, play

REACTION_MS = STATION.timing.fault_reaction_ms
BY_THE_WATCHDOG_MS = 100
LATER = {
    # An idle module's line is held: nobody's offer is concerned until the station gives up.
    "enable line of idle module 8 held high by something else": 5 * STATION.timing.scan_ms,
    "process killed, back after 5 s": BY_THE_WATCHDOG_MS,
}


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_page_tells_what_happens(row: Row) -> None:
    seen = play(row)
    assert not seen.violations
    assert seen.recovers or not row.repaired
    if seen.reacts_ms is not None:
        assert seen.reacts_ms <= LATER.get(row.name, REACTION_MS)
    assert line(row, seen) in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_has_every_kind_of_latched_fault() -> None:
    assert set(kinds()) <= set(PAGE.read_text(encoding="utf-8").splitlines())


def test_every_excluded_part_is_reported() -> None:
    told = [cells.split(" | ") for cells in PAGE.read_text(encoding="utf-8").splitlines()]
    rows = {cells[0].removeprefix("| "): cells for cells in told if len(cells) == 8}
    assert rows.keys() >= {row.name for row in ROWS}
    for name in (row.name for row in ROWS):
        _, offers, excluded, reported, *_, clearing = rows[name]
        if "by itself" not in clearing:  # what heals is told and leaves nothing out
            assert (excluded == "nothing") <= (reported == "nothing")
        assert "by way of" in offers or excluded != "nothing" or offers == "nothing"
