"""The wheel on a Raspberry Pi's processor: installed from wheels for CPython 3.11 on aarch64 into a
Debian for arm64, and run there in user-mode emulation. `make aarch64`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from image import debian, missing, python

pytestmark = pytest.mark.aarch64

DEMANDS = ("--demand", "1=160", "--demand", "3=120", "--demand", "5=80", "--json")
UNEQUAL = """\
[station]
name = "unequal"
guns = 6
modules = 9
module_power_kw = 40
gun_max_power_kw = 240
[[module]]
id = 9
power_kw = 20
"""


@pytest.fixture(scope="module")
def tree() -> Path:
    if missing("mmdebstrap", "qemu-aarch64-static"):
        pytest.fail(missing("mmdebstrap", "qemu-aarch64-static"), pytrace=False)
    tree = debian()
    (tree / "unequal.toml").write_text(UNEQUAL)
    return tree


def test_it_is_the_processor_of_a_pi(tree: Path) -> None:
    assert python(tree, "-c", "import platform; print(platform.machine())").strip() == "aarch64"


def test_the_documented_rule(tree: Path) -> None:
    answer = json.loads(python(tree, "-m", "verified_alloc", "allocate", *DEMANDS))
    assert [gun["modules"] for gun in answer["guns"]] == [
        [1, 2, 3, 4],
        [],
        [5, 6, 7],
        [],
        [8, 9],
        [],
    ]


def test_a_policy_of_the_solver_answers_as_it_does_here(tree: Path) -> None:
    """With a module of another size, so that OR-Tools' CP-SAT decides."""
    command = ["-m", "verified_alloc", "allocate", "--policy", "priority", *DEMANDS, "--station"]
    here = [sys.executable, *command, str(tree / "unequal.toml")]
    answer = json.loads(python(tree, *command, "/unequal.toml"))
    assert answer == json.loads(subprocess.check_output(here, text=True))
    assert answer["policy"] == "priority"
    assert answer["fallback_from"] is None


def test_the_libraries_of_a_pi_are_there(tree: Path) -> None:
    """The real lgpio, not the stub 0.0.0.2 that PyPI has beside it."""
    print_version = "import lgpio, gpiozero.pins.lgpio, smbus2; print(lgpio.get_module_version())"
    assert python(tree, "-c", print_version).startswith("lgpio.py_0.2")
