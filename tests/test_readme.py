"""What the README says is tried: its commands, their quoted output, its files, its options."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hardware.simulated import faults
from proofs import manifest
from verified_alloc import Station, cli
from verified_alloc.station import file

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
UNTIL_S = "30"
"""How far a quoted run is followed here."""


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for named, text in fenced if named == language]


def commands(program: str) -> list[str]:
    """The quoted commands of one program."""
    lines = [line.removeprefix("$ ") for block in blocks("") for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


def quoted_outputs() -> list[tuple[str, str]]:
    """Commands after a `$`, each with what is quoted below it."""
    shown = [block.partition("\n") for block in blocks("") if block.startswith("$ ")]
    return [(command.removeprefix("$ "), output) for command, _, output in shown]


def shortened(command: str) -> list[str]:
    """The arguments of a quoted command, a run cut short, a study to one station."""
    argv = shlex.split(command)[1:]
    if argv[0] == "run":
        while "--until" in argv:
            del argv[argv.index("--until") : argv.index("--until") + 2]
        argv += ["--until", UNTIL_S]
    if argv[0] == "study":
        argv += ["--modules", "3", "--matrix", "ring", "--policies", "documented", "--seeds", "1"]
    return argv


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README's run with a journal leaves behind."""
    path = tmp_path_factory.mktemp("journal") / "hour.db"
    run = ["run", "--demands", "hour", "--until", UNTIL_S, "--journal", str(path)]
    assert cli.main(run) == 0
    return path


@pytest.fixture
def at_home(tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder with the README's own station file, a journal, and files of sessions and of
    limits."""
    (tmp_path / "site.toml").write_text(blocks("toml")[0])
    shutil.copy(journal, tmp_path)
    (tmp_path / "sessions.csv").write_text(
        "arrival,departure,energy_kwh,max_power_kw\n"
        "2024-01-01 08:00:00,2024-01-01 08:20:00,30,150\n"
    )
    (tmp_path / "limits.csv").write_text("time,limit_kw\n2024-01-01 08:10:00,60\n")
    monkeypatch.chdir(tmp_path)


OURS = commands("verified-alloc")


def test_there_is_something_to_try() -> None:
    assert len(OURS) >= 8
    assert len(quoted_outputs()) == 2


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("command", [line for line in OURS if "--hardware pi" not in line])
def test_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(shortened(command)) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize(("command", "output"), quoted_outputs())
def test_a_quoted_output(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A line of dots stands for the rest."""
    assert cli.main(shlex.split(command)[1:]) == 0
    printed = capsys.readouterr().out
    if output.endswith("...\n"):
        assert printed.startswith(output.removesuffix("...\n"))
    else:
        assert printed == output


def test_every_option_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for name, command in cli.typer.main.get_command(cli.app).commands.items():  # type: ignore[attr-defined]
        assert cli.main([name, "--help"]) == 0
        for inner in getattr(command, "commands", ()):
            assert cli.main([name, inner, "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    known.add("--system-site-packages")  # of python -m venv
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README))
    assert told
    assert told <= known


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, flags=re.MULTILINE))
    in_text = re.findall(r"`make ([a-z0-9 -]+)`", README)
    in_blocks = [line.partition("#")[0].removeprefix("make") for line in commands("make")]
    words = " ".join([*in_text, *in_blocks]).split()
    told = {word for word in words if "=" not in word}
    assert {"run", "test", "sweep", "bench", "lint"} <= told
    assert told <= targets


def test_make_help_names_every_target() -> None:
    listed = set(re.findall(r'^\t@echo "make ([a-z0-9-]+) ', MAKEFILE, flags=re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, flags=re.MULTILINE)
    assert phony is not None
    assert listed == set(phony[1].split()) - {"help"}


def test_the_default_station_file_says_every_default() -> None:
    (text,) = [block for block in blocks("toml") if 'name = "reference"' in block]
    told = tomllib.loads(text)
    assert Station.from_tables(told) == Station.reference()
    assert told["station"].keys() == {
        "name", "guns", "modules", "module_power_kw", "gun_max_power_kw", "limit_side"
    }  # fmt: skip
    for table in ("policy", "timing", "hardware"):
        fields = file.TABLES[table].model_fields
        assert told[table].keys() == {spec.alias or name for name, spec in fields.items()}


def test_every_fault_kind_is_named_and_exists() -> None:
    kinds = {*faults.PAIR_KINDS, *faults.MODULE_KINDS, *faults.LINE_KINDS, *faults.BUS_KINDS}
    kinds |= {*faults.STATION_KINDS, *faults.GATE_KINDS, *faults.CHIP_KINDS, faults.STALL}
    start = README.index("Faults\nby kind:")
    told = set(re.findall(r"`([a-z-]+)`", README[start : README.index("`@ TIME`", start)]))
    assert told == kinds


def test_the_python_example() -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == example.rpartition("# ")[2]


def test_every_file_it_points_to_is_there() -> None:
    pointed = re.findall(r"\]\(([^)#]+)\)", README)
    assert pointed
    assert all((ROOT / path).is_file() for path in pointed)


def test_the_benchmarks_have_their_place() -> None:
    table = README.partition("<!-- benchmarks:")[2].partition("<!-- end of benchmarks -->")[0]
    assert "| what | measured | bound |" in table


def test_every_verified_property_is_an_obligation_that_is_proved() -> None:
    proved = {o.id: o.sentence for o in manifest.obligations().values() if o.expected == "proved"}
    rows = re.findall(r"^\| (.+) \| \[([\w.-]+)\]\((proofs/\w+\.py)\) \|$", README, re.MULTILINE)
    assert len(rows) > 30
    for sentence, name, path in rows:
        assert proved[name] == sentence
        assert (ROOT / path).is_file()
