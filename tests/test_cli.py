"""The command line: results, exit codes, one line for what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stations import tables

from verified_alloc import Station, allocate
from verified_alloc.cli import main

SCENARIOS: list[tuple[dict[int, float], dict[int, list[int]], list[int]]] = [
    ({1: 240}, {1: [1, 2, 3, 4, 5, 6]}, [7, 8, 9]),
    (dict.fromkeys(range(1, 7), 40), {gun: [gun] for gun in range(1, 7)}, [7, 8, 9]),
    ({1: 160, 3: 120, 5: 80}, {1: [1, 2, 3, 4], 3: [5, 6, 7], 5: [8, 9]}, []),
]


class Ran:
    """What a command did."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *argv: str) -> None:
        self.code = main(argv)
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        assert (self.code, self.err) == (0, "")
        return json.loads(self.out)


def told(demands: dict[int, float]) -> list[str]:
    return [part for gun, kw in demands.items() for part in ("--demand", f"{gun}={kw}")]


@pytest.mark.parametrize(("demands", "modules", "idle"), SCENARIOS)
def test_the_documented_scenarios(
    demands: dict[int, float],
    modules: dict[int, list[int]],
    idle: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = Ran(capsys, "allocate", *told(demands), "--json").json
    assert result == {
        "policy": "documented",
        "guns": [
            {
                "gun": gun,
                "demand_kw": demands.get(gun, 0),
                "modules": modules.get(gun, []),
                "connected_kw": 40 * len(modules.get(gun, [])),
                "delivered_kw": demands.get(gun, 0),
                "unmet_kw": 0,
            }
            for gun in range(1, 7)
        ],
        "idle_modules": idle,
        "operations": sum(map(len, modules.values())),
        "optimal": None,
        "fallback_from": None,
    }


def test_connected_delivered_and_unmet(capsys: pytest.CaptureFixture[str]) -> None:
    guns = Ran(capsys, "allocate", *told({1: 300, 2: 100.5, 3: 50}), "--json").json["guns"]
    assert [list(gun.values()) for gun in guns[:3]] == [
        [1, 300, [1, 2, 3, 4, 5, 6], 240, 240, 0],
        [2, 100.5, [7, 8, 9], 120, 100.5, 0],
        [3, 50, [], 0, 0, 50],
    ]


def test_every_option_reaches_the_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "station.toml"
    file.write_text(
        "[station]\nguns = 3\nmodules = 7\nmodule_power_kw = 40\ngun_max_power_kw = 240\n"
    )
    options = [
        *("--station", str(file), "--policy", "documented", "--current", '{"1": [3], "2": [7]}'),
        *("--failed-module", "1", "--failed-module", "2", "--gun-out", "3"),
        *("--welded", "2:4", "--failed-open", "1:5"),
    ]
    result = Ran(capsys, "allocate", *told({1: 80, 2: 70, 3: 60}), *options, "--json").json
    assert [gun["modules"] for gun in result["guns"]] == [[3, 6], [4, 5], []]
    assert result["idle_modules"] == [7]
    assert result["operations"] == 3  # closes 1:6 and 2:5, opens 2:7; 2:4 is welded


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "allocate", *told({1: 160, 3: 120.5}))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "gun  asks kW  modules  connected kW  delivered kW  unmet kW",
        "1    160      PM1-4    160           160           0",
        "2    0        -        0             0             0",
        "3    120.5    PM5-8    160           120.5         0",
        "4    0        -        0             0             0",
        "5    0        -        0             0             0",
        "6    0        -        0             0             0",
        "Idle: PM9. Contactor operations: 8. Policy: documented.",
    ]


def test_a_rich_table_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ran = Ran(capsys, "allocate", *told({1: 160}))
    assert ran.code == 0
    assert "PM1-4" in ran.out
    assert "┃" in ran.out


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, "explain", *told({1: 300, 2: 100}), "--failed-module", "3")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("Gun 1 asks for 300 kW, more than its maximum")
    assert "PM3 has failed." in lines[0]
    assert "Served before it: gun 1 (PM1-2, PM4-7)." in lines[1]
    assert lines[-1] == "PM3 can serve no gun."


def test_explain_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    result = Ran(capsys, "explain", *told({1: 300, 2: 100}), "--json").json
    plain = Ran(capsys, "allocate", *told({1: 300, 2: 100}), "--json").json
    second = result["guns"][1]
    assert second["served"] == 2
    assert second["needs_modules"] == 3
    assert second["found_modules"] == [7, 8, 9]
    assert second["maximum_kw"] == 240
    assert second["reasons"][0] == "Gun 2 asks for 100 kW."
    assert result["reasons"] == []
    for row, answer in zip(result["guns"], plain["guns"], strict=True):
        assert answer.items() <= row.items()


NOT_GUN_KW = "allowed is GUN=KW, as 1=160"
NOT_JSON = 'allowed is {"1": [1, 2]}: gun and its modules'
REFUSED = [
    (["--demand", "1=abc"], "'abc' is no number of kW; " + NOT_GUN_KW),
    (["--demand", "1="], "'' is no number of kW"),
    (["--demand", "1"], "--demand '1': " + NOT_GUN_KW),
    (["--demand", ""], "--demand '': " + NOT_GUN_KW),
    (["--demand", "=40"], NOT_GUN_KW),
    (["--demand", "a=40"], NOT_GUN_KW),
    (["--demand", "-1=40"], NOT_GUN_KW),
    (["--demand", "1.0=40"], NOT_GUN_KW),
    (["--demand", " 1=40"], NOT_GUN_KW),
    (["--demand", "\u0661=40"], NOT_GUN_KW),
    (["--demand", "\u00b2=40"], NOT_GUN_KW),
    (["--demand", "1=nan"], "'nan' is no number of kW"),
    (["--demand", "1=1_0"], "'1_0' is no number of kW"),
    (["--demand", "1=inf"], "'inf' is no number of kW"),
    (["--demand", "1=-5"], "demand of gun 1 = -5 kW"),
    (["--demand", "1=1e999999999"], "'1e999999999' is no number of kW"),
    (["--demand", "1=40", "--demand", "1=50"], "gun 1 twice"),
    (["--demand", "7=40"], "gun 7: allowed are guns 1 to 6"),
    (["--demand", "0=40"], "gun 0: allowed are guns 1 to 6"),
    (["--demand", "99999999999=40"], NOT_GUN_KW),
    (["--demand"], "requires an argument"),
    (["--policy", "best"], "policy 'best': allowed is documented"),
    (["--failed-module", "10"], "failed module 10: allowed are modules 1 to 9"),
    (["--failed-module", "x"], "--failed-module 'x': allowed is a number"),
    (["--gun-out", "7"], "failed gun 7: allowed are guns 1 to 6"),
    (["--gun-out", "x"], "--gun-out 'x'"),
    (["--welded", "2-5"], "--welded '2-5': allowed is GUN:MODULE"),
    (["--welded", "2:5:6"], "--welded '2:5:6'"),
    (["--welded", "7:5"], "welded contactor 7:5"),
    (["--failed-open", "2:"], "--failed-open '2:': allowed is GUN:MODULE"),
    (["--failed-open", "2:10"], "failed-open contactor 2:10"),
    (["--failed-open", "2:5", "--welded", "2:5"], "2:5 is both welded and failed open"),
    (["--current", "{"], "--current '{': not JSON; " + NOT_JSON),
    (["--current", "[" * 100_000], "not JSON"),
    (["--current", "[1]"], "--current '[1]': " + NOT_JSON),
    (["--current", "null"], "--current 'null': " + NOT_JSON),
    (["--current", '{"x": [1]}'], "--current gun 'x'"),
    (["--current", '{"1": [1], "01": [2]}'], "each gun once"),
    (["--current", '{"1": [1], "1": [2]}'], "a gun twice"),
    (["--current", '{"7": [1]}'], "gun 7: allowed are guns 1 to 6"),
    (["--current", '{"1": [10]}'], "module 10: allowed are modules 1 to 9"),
    (["--current", '{"1": 1}'], "current of gun 1 = 1"),
    (["--current", '{"1": [1.0]}'], "module 1.0"),
    (["--current", '{"1": [1], "2": [1]}'], "module 1 is already on gun 1"),
    (["--station", "nowhere.toml"], "station file nowhere.toml: No such file or directory"),
    (["--station", "/"], "station file /: Is a directory"),
    (["--station", "\0"], "station file"),
    (["--station", "no\nwhere"], "station file no where: No such file"),
    (["--colour"], "No such option: --colour"),
    (["extra"], "extra"),
]


@pytest.mark.parametrize("command", ["allocate", "explain"])
@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_what_is_refused(
    command: str, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Ran(capsys, command, *options)
    assert ran.code == 2
    assert ran.out == ""
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "Traceback" not in ran.err
    assert len(ran.err) < 300


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[station\n", "not TOML"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"[station]\nguns = 6\n", "station.modules is missing"),
        (b"[station]\nguns = 0\n", "station.guns = 0: allowed is a whole number, 1 to 500"),
        (b"[station]\ncolour = 1\n", "unknown key"),
    ],
)
def test_a_bad_station_file(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "station.toml"
    file.write_bytes(content)
    ran = Ran(capsys, "allocate", "--station", str(file), "--json")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_more_contactors_than_pins_are_no_matter_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "station.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in tables()["station"].items()]
    file.write_text("\n".join(["[station]", *lines]).replace("guns = 6", "guns = 12"))
    result = Ran(capsys, "allocate", "--station", str(file), *told({12: 40}), "--json").json
    assert result["guns"][11]["modules"] == [1]


@pytest.mark.parametrize(
    ("argv", "said"),
    [([], "Missing command"), (["dance"], "No such command 'dance'"), (["--loud"], "--loud")],
)
def test_no_such_command(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, *argv)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("command", ["allocate", "explain"])
def test_help_shows_examples_that_work(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capsys, command, "--help")
    assert (ran.code, ran.err) == (0, "")
    examples = [line.split() for line in ran.out.splitlines() if "  verified-alloc " in line]
    assert len(examples) >= 2
    for example in examples:
        if "--station" not in example:
            assert Ran(capsys, *example[1:]).code == 0


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *argv], capture_output=True, text=True, check=False, timeout=60
    )


def test_as_a_program() -> None:
    ran = run("-m", "verified_alloc", "allocate", "--demand", "1=160", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["guns"][0]["modules"] == [1, 2, 3, 4]
    ran = run("-m", "verified_alloc", "allocate", "--demand", "1=x")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1


def test_what_is_not_needed_is_not_imported() -> None:
    heavy = ("rich", "hardware.clock", "z3", "ortools", "gpiozero", "smbus2", "sqlite3")
    heavy += ("verified_alloc.station.file", "verified_alloc.decide.explain")
    code = (
        "import sys; from verified_alloc.cli import main;"
        "main(['allocate', '--demand', '1=160', '--json']);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert run("-c", code).stdout.splitlines()[-1] == "[]"


def test_the_package_gives_the_function_whatever_was_imported_before() -> None:
    code = "import verified_alloc.cli, verified_alloc; print(callable(verified_alloc.allocate))"
    assert run("-c", code).stdout == "True\n"
    assert allocate(Station.reference(), {1: 40}).modules[1] == (1,)
