"""A trace is read whole or not at all, and what is refused is named in one line."""

import errno
import io
import os
import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_alloc.errors import BadInput
from verified_alloc.workload.traces import (
    HOUR_MS,
    DemandChange,
    DemandTrace,
    read_trace,
    sample,
    sample_names,
    write_trace,
)

GUNS = range(1, 7)
HEADER = "time_s,gun,demand_kw\n"
GOOD = HEADER + "0,1,40\n0,3,120.5\n12.25,1,0\n"


def read(folder: Path, text: str | bytes) -> DemandTrace:
    path = folder / "trace.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_trace(path, GUNS)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read(folder, text)
    message = str(caught.value).replace(str(folder / "trace.csv"), "trace.csv")
    assert len(message.splitlines()) == 1
    return message


def refusal_of(source: str | Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_trace(source, GUNS)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


@st.composite
def traces(draw: st.DrawFn) -> DemandTrace:
    keys = draw(
        st.sets(st.tuples(st.integers(0, 10**9), st.sampled_from(GUNS)), min_size=1, max_size=20)
    )
    demands_w = st.integers(0, 10**7)
    return DemandTrace(tuple(DemandChange(ms, gun, draw(demands_w)) for ms, gun in sorted(keys)))


def test_a_row_sets_one_guns_demand_from_then_on(folder: Path) -> None:
    trace = read(folder, GOOD)
    assert trace.changes == ((0, 1, 40_000), (0, 3, 120_500), (12_250, 1, 0))
    assert trace.last_ms == 12_250


@given(traces())
def test_what_is_written_is_read_back(folder: Path, trace: DemandTrace) -> None:
    out = io.StringIO()
    write_trace(trace, out)
    assert read(folder, out.getvalue()) == trace


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("16.1", 16_100),  # 16.1 * 1000 is a little more in binary
        ("40.0001", 40_001),
        ("40." + "0" * 60 + "1", 40_001),
        ("1e-300", 1),
        ("-0", 0),
        ("+1.5E2", 150_000),
        (".5", 500),
        ("5.", 5_000),
    ],
)
def test_kilowatts_go_up_to_the_next_whole_watt_exactly(
    folder: Path, text: str, watts: int
) -> None:
    assert read(folder, f"{HEADER}0,1,{text}\n").changes[0].demand_w == watts


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False))
def test_the_ceiling_is_that_of_the_exact_fraction(folder: Path, kw: Decimal) -> None:
    demand_w = read(folder, f"{HEADER}0,1,{kw:f}\n").changes[0].demand_w
    assert demand_w - 1 < Fraction(kw) * 1000 <= demand_w


def test_times_go_up_to_the_next_millisecond(folder: Path) -> None:
    assert read(folder, HEADER + "0.0001,1,40\n").changes[0].time_ms == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace(",", " , "),
        GOOD.replace("120.5", '"120.5"'),
        GOOD.replace("\n", "\n\n"),
        GOOD.removesuffix("\n"),
    ],
)
def test_spreadsheet_habits_change_nothing(folder: Path, text: str) -> None:
    assert read(folder, text) == read(folder, GOOD)


BAD_ROWS = {
    "0,1": "demand_kw: missing after '1'; allowed: the columns time_s,gun,demand_kw",
    "5": "gun: missing after '5'; allowed: the columns time_s,gun,demand_kw",
    "0,2,40,": "column 4: '' is one too many; allowed: the columns time_s,gun,demand_kw",
    "0,2,40,x": "column 4: 'x' is one too many; allowed: the columns time_s,gun,demand_kw",
    "noon,2,40": "time_s: 'noon'; allowed: a finite number >= 0, in seconds",
    "-1,2,40": "time_s: '-1'; allowed: a finite number >= 0, in seconds",
    "nan,2,40": "time_s: 'nan'; allowed: a finite number >= 0, in seconds",
    "inf,2,40": "time_s: 'inf'; allowed: a finite number >= 0, in seconds",
    "4.9,2,40": "time_s: '4.9' goes back; allowed: 5 or later",
    "4.99999,2,40": "time_s: '4.99999' goes back; allowed: 5 or later",
    "6,7,40": "gun: '7' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    "6,0,40": "gun: '0' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    "6,-1,40": "gun: '-1' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    "6,1.0,40": "gun: '1.0' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    "6,²,40": "gun: '²' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    "6,left,40": "gun: 'left' is no gun here; allowed: 1, 2, 3, 4, 5, 6",
    "5,1,80": "gun: '1' comes twice at '5' s; allowed: one row of a gun in a millisecond",
    "5.0,1,40": "gun: '1' comes twice at '5.0' s; allowed: one row of a gun in a millisecond",
    "6,2,": "demand_kw: ''; allowed: a finite number >= 0, in kW",
    "6,2,forty": "demand_kw: 'forty'; allowed: a finite number >= 0, in kW",
    "6,2,NaN": "demand_kw: 'NaN'; allowed: a finite number >= 0, in kW",
    "6,2,sNaN": "demand_kw: 'sNaN'; allowed: a finite number >= 0, in kW",
    "6,2,Infinity": "demand_kw: 'Infinity'; allowed: a finite number >= 0, in kW",
    "6,2,1e309": "demand_kw: '1e309'; allowed: a finite number >= 0, in kW",
    "6,2,1e999999999": "demand_kw: '1e999999999'; allowed: a finite number >= 0, in kW",
    "6,2,-0.001": "demand_kw: '-0.001'; allowed: a finite number >= 0, in kW",
    "6,2,-1e-300": "demand_kw: '-1e-300'; allowed: a finite number >= 0, in kW",
    "6,2,1_000": "demand_kw: '1_000'; allowed: a finite number >= 0, in kW",
    "6,2,٤٠": "demand_kw: '٤٠'; allowed: a finite number >= 0, in kW",
    "6,2,40 kW": "demand_kw: '40 kW'; allowed: a finite number >= 0, in kW",
    '6,2,"4\n0"': "demand_kw: '4\\n0'; allowed: a finite number >= 0, in kW",
}


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_bad_row_is_named_with_line_column_value_and_what_is_allowed(
    folder: Path, row: str
) -> None:
    message = refusal(folder, f"{HEADER}\n0,1,40\n5,1,40\n{row}\n6,3,40\n")
    assert message == f"trace.csv, line 5, {BAD_ROWS[row]}"


def test_a_gun_comes_twice_also_with_others_between(folder: Path) -> None:
    message = refusal(folder, HEADER + "5,1,40\n5,2,40\n5,1,40\n")
    assert message.startswith("trace.csv, line 4, gun: '1' comes twice at '5' s;")


def test_the_line_is_counted_across_a_quoted_line_break(folder: Path) -> None:
    message = refusal(folder, HEADER + '0,1,"4\n"\n0,2,x\n')
    assert message == "trace.csv, line 4, demand_kw: 'x'; allowed: a finite number >= 0, in kW"


def test_the_last_row_counts_like_the_first(folder: Path) -> None:
    assert "line 3, demand_kw: 'x'" in refusal(folder, HEADER + "0,1,40\n1,1,x")


@given(traces(), st.data())
def test_one_broken_cell_anywhere_is_found(
    folder: Path, trace: DemandTrace, data: st.DataObject
) -> None:
    out = io.StringIO()
    write_trace(trace, out)
    rows = [line.split(",") for line in out.getvalue().splitlines()]
    line = data.draw(st.integers(1, len(rows) - 1))
    column = data.draw(st.integers(0, 2))
    rows[line][column] = data.draw(st.sampled_from(["", "x", "-3", "nan", "1e999"]))
    message = refusal(folder, "\n".join(map(",".join, rows)))
    assert f"line {line + 1}, {rows[0][column]}: {rows[line][column]!r}" in message


@given(st.binary(max_size=80) | st.binary(max_size=80).map(HEADER.encode().__add__))
def test_any_bytes_are_a_trace_or_bad_input(folder: Path, data: bytes) -> None:
    try:
        trace = read(folder, data)
    except BadInput:
        assert refusal(folder, data).startswith("trace.csv")
    else:
        assert trace.changes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty; allowed: the header time_s,gun,demand_kw, then rows"),
        ("\n\n", "the file is empty; allowed: the header time_s,gun,demand_kw, then rows"),
        (HEADER, "no row after the header; allowed: at least one row of time_s,gun,demand_kw"),
    ],
)
def test_a_file_that_says_nothing(folder: Path, text: str, message: str) -> None:
    assert refusal(folder, text) == f"trace.csv: {message}"


@pytest.mark.parametrize(
    "header",
    [
        "time_s,gun",
        "time_s,gun,demand_kw,car",
        "gun,time_s,demand_kw",
        "time_s,gun,demand_w",
        "0,1,4",
    ],
)
def test_a_wrong_header(folder: Path, header: str) -> None:
    assert (
        refusal(folder, f"{header}\n0,1,40\n")
        == f"trace.csv, line 1: the header is {header!r}; allowed: time_s,gun,demand_kw"
    )


def test_a_long_value_is_shown_in_short(folder: Path) -> None:
    assert len(refusal(folder, f"{HEADER}0,1,{'9' * 100_000}\n")) < 200


def test_text_that_is_not_utf_8(folder: Path) -> None:
    message = refusal(folder, HEADER.encode() + b"0,1,40\n0,2,4\xe9\n")
    assert message == "trace.csv, line 3: byte 0xe9 is not UTF-8; a demand trace is UTF-8 text"


def test_an_open_quote(folder: Path) -> None:
    assert refusal(folder, HEADER + '0,1,40\n0,2,"40\n').startswith("trace.csv, line 3: not CSV")


def test_a_gun_that_the_station_lacks_is_refused_only_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(HEADER + "0,3,40\n")
    assert read_trace(path, {3, 9}).changes == ((0, 3, 40_000),)
    with pytest.raises(BadInput, match=re.escape("'3' is no gun here; allowed: 1, 9")):
        read_trace(path, {9, 1})


def test_a_missing_file_names_the_samples(tmp_path: Path) -> None:
    message = refusal_of(tmp_path / "gone.csv")
    assert message == (
        f"{tmp_path}/gone.csv: no such file or directory; "
        "a demand trace is a readable CSV file or one of the samples day, hour"
    )
    assert "noon: no such file" in refusal_of("noon")


def test_a_directory(tmp_path: Path) -> None:
    assert ": is a directory; a demand trace" in refusal_of(tmp_path)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, mode: str) -> None:  # chmod would not stop root
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "open", denied)
    assert ": permission denied; a demand trace" in refusal_of(tmp_path / "secret.csv")


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "x" * 5000])
def test_names_that_no_file_can_have(name: str) -> None:
    assert "; a demand trace is a readable CSV file or" in refusal_of(name)


def test_samples_go_by_name_wherever_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sample_names() == ("day", "hour")
    assert read_trace("day", GUNS).last_ms == 24 * HOUR_MS
    assert read_trace("hour", GUNS).last_ms == HOUR_MS
    with pytest.raises(BadInput, match=r"^sample 'noon': .*allowed: one of the samples day, hour$"):
        sample("noon")


def test_a_sample_goes_before_a_file_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("day").write_text(GOOD)
    assert read_trace("day", GUNS).last_ms == 24 * HOUR_MS
    assert read_trace("./day", GUNS).last_ms == 12_250


def test_a_sample_needs_its_guns() -> None:
    with pytest.raises(BadInput, match=r"^day, line \d+, gun: '\d' is no gun here; allowed: 1, 2$"):
        read_trace("day", [1, 2])


def demand_at(trace: DemandTrace, time_ms: int) -> dict[int, int]:
    standing = {
        change.gun: change.demand_w for change in trace.changes if change.time_ms <= time_ms
    }
    return {gun: demand_w for gun, demand_w in standing.items() if demand_w > 0}


def test_an_excerpt_opens_with_what_stands_and_ends_idle() -> None:
    changes = [(10, 1, 40), (10, 2, 50), (20, 1, 0), (20, 3, 60), (30, 2, 70), (40, 3, 80)]
    trace = DemandTrace(tuple(DemandChange(*change) for change in changes))
    assert trace.excerpt(20, 40).changes == (
        *((0, 2, 50), (0, 3, 60)),
        (10, 2, 70),
        *((20, 1, 0), (20, 2, 0), (20, 3, 0)),
    )


@given(traces(), st.integers(0, 10**9), st.integers(1, 10**9), st.data())
def test_an_excerpt_asks_at_each_moment_what_the_trace_asks(
    trace: DemandTrace, start_ms: int, length_ms: int, data: st.DataObject
) -> None:
    excerpt = trace.excerpt(start_ms, start_ms + length_ms)
    moments = {0, data.draw(st.integers(0, length_ms - 1))}
    moments |= {
        c.time_ms - start_ms for c in trace.changes if 0 <= c.time_ms - start_ms < length_ms
    }
    for moment in moments:
        assert demand_at(excerpt, moment) == demand_at(trace, start_ms + moment)
    assert demand_at(excerpt, length_ms) == {}
    assert excerpt.last_ms == length_ms
    assert sorted(excerpt.changes) == list(excerpt.changes)


def test_an_excerpt_has_a_length() -> None:
    with pytest.raises(BadInput, match=r"^excerpt: end 5 ms must be after its start 5 ms$"):
        DemandTrace(()).excerpt(5, 5)


def asked_for(trace: DemandTrace, start_ms: int, end_ms: int) -> int:
    moments = sorted(
        {start_ms, end_ms} | {c.time_ms for c in trace.changes if start_ms < c.time_ms < end_ms}
    )
    return sum(
        sum(demand_at(trace, before_ms).values()) * (after_ms - before_ms)
        for before_ms, after_ms in pairwise(moments)
    )


@given(traces(), st.integers(1, 10**9))
def test_the_busiest_moment_is_the_plug_in_before_the_most_energy(
    trace: DemandTrace, window_ms: int
) -> None:
    plug_ins_ms = [
        change.time_ms
        for change in trace.changes
        if change.demand_w > 0 and change.gun not in demand_at(trace, change.time_ms - 1)
    ]
    asked = {
        start_ms: asked_for(trace, start_ms, min(start_ms + window_ms, trace.last_ms))
        for start_ms in plug_ins_ms
        if start_ms < trace.last_ms
    }
    busiest_ms = trace.busiest_ms(window_ms)
    if asked:
        assert asked.get(busiest_ms, 0) == max(asked.values())
    assert busiest_ms in (plug_ins_ms or [0])
