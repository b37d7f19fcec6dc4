"""The wheel, in a venv that has what the wheel declares and nothing else, far from the sources."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from proof_records import PROVED, write_record

from verified_alloc import Station
from verified_alloc.station.proof_record import IN_THE_PACKAGE

ROOT = Path(__file__).parents[1]
RECORD = IN_THE_PACKAGE.relative_to(ROOT)
PACKAGES = ("hardware", "proofs", "verified_alloc")

pytestmark = pytest.mark.xdist_group("wheel")  # one worker builds it for all


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: what earlier builds left in the tree is not to be packed again."""
    source = tmp_path_factory.mktemp("source")
    for package in (*PACKAGES, "tests"):
        shutil.copytree(
            ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    write_record(source / RECORD, Station.reference())
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a venv with the wheel. Needs no network: its dependencies are links to
    ours, and pip, which may not download, says so if one is missing."""
    home = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(where, text=True).strip())
    for name in sorted(runtime_dependencies(wheel)):
        link(metadata.distribution(name), site)
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    done = subprocess.run([*install, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "bin"


def runtime_dependencies(wheel: Path) -> set[str]:
    """Names of the distributions that the wheel needs without extras, and those that they need."""
    (built,) = metadata.distributions(path=[str(wheel)])
    found: set[str] = set()
    pending = list(built.requires or ())
    while pending:
        requirement = Requirement(pending.pop())
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if needed and requirement.name not in found:
            found.add(requirement.name)
            pending += metadata.distribution(requirement.name).requires or ()
    return found


def link(distribution: metadata.Distribution, site: Path) -> None:
    tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
    for top in tops:
        if not (site / top).exists():
            (site / top).symlink_to(Path(str(distribution.locate_file(top))))


def run(installed: Path, *command: str) -> str:
    """What a command printed; it runs outside the sources and has nothing of ours around it."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(installed / command[0]), *command[1:]],
        cwd=installed,
        env=around,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_wheel_has_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_every_module_is_in_the_wheel(wheel: Path) -> None:
    """A folder without __init__.py would be left out."""
    sources = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if name.endswith(".py")} == {
            str(path.relative_to(ROOT)) for path in sources
        }


def test_types_samples_and_licence_travel_along(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert "hardware/systemd/verified-alloc.service" in names
    page = "verified_alloc/service/dashboard"
    assert {f"{page}/{path.name}" for path in (ROOT / page).iterdir()} <= names
    assert f"{page}/uPlot.LICENSE" in names
    samples = {path.name for path in (ROOT / "verified_alloc/workload/samples").glob("*.csv")}
    assert "day.csv" in samples
    assert {f"verified_alloc/workload/samples/{sample}" for sample in samples} <= names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_it_says_that_it_was_proved(installed: Path, tmp_path: Path) -> None:
    """By the record that it carries, made of the sources that it was built from."""
    replay = ("verified-alloc", "run", "--demands", "hour", "--until", "1", "--json")
    assert json.loads(run(installed, *replay))["proof"] == PROVED
    site = tmp_path / "site.toml"
    site.write_text(
        "[station]\nguns = 6\nmodules = 2\nmodule_power_kw = 40\ngun_max_power_kw = 80\n"
    )
    other = json.loads(run(installed, *replay, "--station", str(site)))
    assert other["proof"] == "proved for another station"


def test_the_build_proves_first_and_puts_the_record_where_it_is_looked_for() -> None:
    """`.ci/run` builds so, and what is not proved ends it."""
    dry = ["make", "--dry-run", "--silent", "wheel"]
    done = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True, check=True)
    prove, build = done.stdout.splitlines()[-2:]
    assert prove.endswith(f"verified-alloc prove --attest {RECORD}")
    assert "python -m build --wheel" in build
    assert "make wheel\n" in (ROOT / ".ci" / "run").read_text()


def test_the_packages_come_from_the_venv(installed: Path) -> None:
    ask = "import hardware, proofs, verified_alloc as v; print(v.__file__)"
    assert Path(run(installed, "python", "-c", ask).strip()).is_relative_to(installed.parent)


def test_help(installed: Path) -> None:
    told = run(installed, "python", "-m", "verified_alloc", "--help")
    for command in ("allocate", "explain", "run"):
        assert command in told


def test_allocate(installed: Path) -> None:
    demands = ("--demand", "1=160", "--demand", "3=120", "--demand", "5=80")
    told = json.loads(run(installed, "verified-alloc", "allocate", *demands, "--json"))
    modules = {row["gun"]: row["modules"] for row in told["guns"] if row["modules"]}
    assert modules == {1: [1, 2, 3, 4], 3: [5, 6, 7], 5: [8, 9]}


def test_run_on_a_sample_by_name(installed: Path) -> None:
    told = run(installed, "verified-alloc", "run", "--demands", "day", "--until", "600")
    assert "Violations: 0." in told
