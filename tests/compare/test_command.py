"""The commands compare and import, as they are used."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest

from verified_alloc import cli
from verified_alloc.compare import metrics

HEADER = "arrival,departure,energy_kwh,max_power_kw\n"
BUSY = HEADER + "".join(
    f"2024-01-01 08:{minute:02}:00,2024-01-01 08:{minute + 20}:00,25,{120 + 10 * minute}\n"
    for minute in range(0, 10, 2)
)
RING = """
[station]
name = "reference"
guns = 6
modules = 9
module_power_kw = 40
gun_max_power_kw = 240
[matrix]
kind = "ring"
"""


@pytest.fixture
def sessions(tmp_path: Path) -> str:
    path = tmp_path / "busy.csv"
    path.write_text(BUSY)
    return str(path)


@pytest.fixture
def ring(tmp_path: Path) -> str:
    path = tmp_path / "ring.toml"
    path.write_text(RING)
    return str(path)


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert cli.main(argv) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    return line


def test_json_tells_every_figure_of_every_pair(
    sessions: str, ring: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--policies", "documented,max-power", "--station", ring, "--station", ring]
    assert cli.main(["compare", sessions, *options, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    results = told["results"]
    assert [(one["station"], one["policy"]) for one in results] == [
        ("reference ring 1", "documented"),
        ("reference ring 1", "max-power"),
        ("reference ring 2", "documented"),
        ("reference ring 2", "max-power"),
    ]
    for one in results:
        assert {figure.key for figure in metrics.FIGURES} <= one.keys()
        assert one["sessions"] == 5
        assert one["wanted_kwh"] == 125
        assert sum(one["operations_by_contactor"].values()) == one["operations"]
        assert len(one["operations_by_contactor"]) == 24
        assert sum(one["delivered_kwh_by_gun"].values()) == pytest.approx(one["delivered_kwh"])
    assert told["answer"].count(". ") == 1


def test_csv_is_a_row_for_each(sessions: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", sessions, "--policies", "documented,fair", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["policy"] for row in rows] == ["documented", "fair"]
    assert all(float(row["wanted_kwh"]) == 125 for row in rows)


def test_text_and_markdown_open_with_the_answer_and_tell_the_load(
    sessions: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ([], ["--markdown"]):
        assert cli.main(["compare", sessions, "--policies", "documented,fair", *option]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[0].endswith(".")
        assert told[0].count(". ") == 1
        assert "load factor" in told[0]
        assert any("Load factor" in line for line in told[2:5])
        assert len({len(line.split("|")) for line in told[2:]}) == 1


def test_the_same_twice(sessions: str, capsys: pytest.CaptureFixture[str]) -> None:
    def figures() -> list[dict[str, object]]:
        assert cli.main(["compare", sessions, "--seed", "3", "--json"]) == 0
        results = json.loads(capsys.readouterr().out)["results"]
        return [{**one, "decision_ms": 0} for one in results]

    assert figures() == figures()


class Page(HTMLParser):
    """What a page refers to, and its tags, balanced or not."""

    VOID = ("meta", "br", "hr", "img", "link", "input")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.refers += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_needs_nothing_else(
    sessions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.html"
    options = ["--policies", "documented,max-power", "--report", str(report)]
    assert cli.main(["compare", sessions, *options]) == 0
    answer = capsys.readouterr().out.splitlines()[0]
    html = report.read_text()
    page = Page()
    page.feed(html)
    assert page.open == []
    assert html.index('class="answer"') < html.index("<h2>")
    assert answer in html
    assert all(not one or one.startswith("#") for one in page.refers)
    assert "http" not in html.replace("http://www.w3.org/", "")
    assert "<script" not in html
    # Gain and price, two days, distributions, heat maps.
    assert page.tags.count("svg") == 5
    for start in range(html.count("<svg")):
        svg = html.split("<svg")[start + 1].split("</svg>")[0]
        ElementTree.fromstring(f"<svg{svg}</svg>")
    for text in ("power, kW", "module", "gun", "sessions", "percentage points", "Load factor"):
        assert text in html
    for figure in metrics.FIGURES:
        if figure.digits and f">{figure.title}" not in html:
            raise AssertionError(figure.title)


def test_the_report_is_the_same_twice(sessions: str, tmp_path: Path) -> None:
    pages = []
    for name in ("one.html", "two.html"):
        path = tmp_path / name
        assert cli.main(["compare", sessions, "--report", str(path), "--policies", "fair"]) == 0
        pages.append(
            [line for line in path.read_text().splitlines() if "Decision, mean" not in line]
        )
    assert pages[0] == pages[1]


def test_a_report_without_matplotlib(
    sessions: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    told = refusal(capsys, "compare", sessions, "--report", "x.html")
    assert told.endswith("pip install 'verified-alloc[compare]'")


def test_bad_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(BUSY + "noon,,,\n")
    told = refusal(capsys, "compare", str(path))
    assert "line 7, arrival: 'noon'" in told
    options = ["--skip-bad", "--policies", "documented", "--json"]
    assert cli.main(["compare", str(path), *options]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("Skipped 1 bad rows, the first: ")
    assert json.loads(printed.out)["skipped_rows"] == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--policies", "greedy"], "--policies"),
        (["--policies", "fair,fair"], "--policies"),
        (["--json", "--csv"], "--json, --csv, --markdown: allowed is one of them"),
        (["--patience", "long"], "--patience"),
        (["--curves", "nowhere.csv"], "nowhere.csv: no such file"),
        (["--station", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_bad_options(
    sessions: str, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refusal(capsys, "compare", sessions, *options)


def test_a_file_that_is_not_there_or_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no such file" in refusal(capsys, "compare", str(tmp_path / "gone.csv"))
    (tmp_path / "page").write_text("<html>\n")
    assert "the header has '<html>'" in refusal(capsys, "compare", str(tmp_path / "page"))
    (tmp_path / "none").write_text("")
    assert "the file is empty" in refusal(capsys, "compare", str(tmp_path / "none"))


def test_what_another_policy_would_have_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A journal is replayed on its own station: documented asked for what the guns asked then."""
    journal = str(tmp_path / "journal.db")
    ring = tmp_path / "site.toml"
    ring.write_text(RING + '[policy]\nname = "documented"\n')
    run = ["run", "--demands", "hour", "--until", "120", "--station", str(ring)]
    assert cli.main([*run, "--journal", journal, "--json"]) == 0
    live = json.loads(capsys.readouterr().out)
    policies = ["--policies", "documented,max-power", "--json"]
    assert cli.main(["compare", journal, *policies]) == 0
    documented, power = json.loads(capsys.readouterr().out)["results"]
    assert documented["delivered_kwh"] == pytest.approx(sum(live["energy_kwh"].values()), rel=0.01)
    moved = {pair: n for pair, n in documented["operations_by_contactor"].items() if n}
    assert moved == live["operations"]
    assert power["delivered_kwh"] > documented["delivered_kwh"]


def test_synthetic_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "days.csv")
    for seed in ("4", "4", "5"):
        options = ["--days", "2", "--seed", seed]
        assert cli.main(["import", "synthetic", *options]) == 0
        assert cli.main(["import", "synthetic", *options, "--out", path]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(Path(path).read_text())
        assert printed.endswith(f" sessions in {path}.\n")
    assert "--days" in refusal(capsys, "import", "synthetic", "--days", "x")
    assert "days: 0" in refusal(capsys, "import", "synthetic", "--days", "0")
    assert "allowed: a file to write" in refusal(
        capsys, "import", "synthetic", "--out", str(tmp_path / "no" / "x.csv")
    )
