"""The house: which room may import which, read from every import there is, also in functions."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("verified_alloc", "hardware", "proofs")

LOOSE = {"errors", "words", "process", "whole_file"}
"""Files on top of `verified_alloc` that know no room."""

DECIDING = {"kernel", "station", "decide"} | LOOSE
LIVE = {"hardware", "workload", "control"} | DECIDING
OFFLINE = {"journal", "service", "run"} | LIVE

MAY_IMPORT = {
    **{file: set[str]() for file in (*LOOSE, "kernel", "hardware")},
    "errors": {"hardware"},
    "workload": LOOSE,
    "station": {"kernel"} | LOOSE,
    "decide": DECIDING,
    "control": LIVE,
    "journal": {"control", "workload"} | DECIDING,
    "service": {"journal"} | LIVE,
    "ocpp": {"service", "station"} | LOOSE,
    "run": {"journal", "service"} | LIVE,
    "install": {"control", "hardware", "station"} | LOOSE,
    "commission": LIVE,
    "doctor": {"install"} | LIVE,
    "compare": {"journal"} | LIVE,
    "study": {"compare"} | LIVE,
    "commands": {"commission", "compare", "doctor", "install", "ocpp", "study", "proofs"} | OFFLINE,
    "cli": {"commands", "errors"},
    "__main__": {"cli"},
    "proofs": {"hardware"} | DECIDING,
    "verified_alloc": DECIDING,  # what `from verified_alloc import ...` gives
}
"""DESIGN.md, "The house". A room may always import itself."""


def module_of(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {
    module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
}


def room_of(module: str) -> str:
    package, *inside = module.split(".")
    return inside[0] if package == "verified_alloc" and inside else package


def imports(path: Path) -> Iterator[str]:
    """The modules of the house that a file names, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            within = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module or "" for name in within]
        else:
            continue
        for name in names:
            if name.partition(".")[0] in PACKAGES:
                assert name in MODULES, f"{path}: {name} is not there"
                yield name


IMPORTS = {module: set(imports(path)) for module, path in MODULES.items()}


def test_imports_in_functions_are_seen() -> None:
    assert "proofs.suite.command" in IMPORTS["verified_alloc.commands.prove"]


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    room = room_of(module)
    upwards = {name for name in IMPORTS[module] if room_of(name) not in {room} | MAY_IMPORT[room]}
    assert not upwards


def test_only_the_command_prove_imports_proofs() -> None:
    outside = {name for name in MODULES if room_of(name) != "proofs"}
    importing = {m for m in outside if any(room_of(name) == "proofs" for name in IMPORTS[m])}
    assert importing == {"verified_alloc.commands.prove"}


def test_files_import_each_other_in_no_circle() -> None:
    TopologicalSorter(IMPORTS).prepare()


def test_rooms_import_each_other_in_no_circle() -> None:
    TopologicalSorter({room: may - {room} for room, may in MAY_IMPORT.items()}).prepare()


def test_files_have_one_job() -> None:
    """Short enough to be read at a stretch; the file that carries the scan, more than others."""
    lines = {module: len(path.read_text("utf-8").splitlines()) for module, path in MODULES.items()}
    assert {module: count for module, count in lines.items() if count > 600} == {}
    carries = "verified_alloc.control.controller"
    assert lines[carries] <= 250
    functions = [
        node
        for node in ast.walk(ast.parse(MODULES[carries].read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    assert [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= 40] == []


TIME_OF_DAY = {"time", "time_ns", "localtime", "gmtime", "ctime", "strftime"}
"""Of the module `time`."""


@pytest.mark.parametrize("room", ["kernel", "decide", "control", "hardware"])
def test_nothing_that_decides_or_drives_a_wire_asks_for_the_time_of_day(room: str) -> None:
    asked = [
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        if room_of(module) == room
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"))
        or (isinstance(node, ast.Import) and any(name.name == "datetime" for name in node.names))
        or (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (node.value.id, node.attr in TIME_OF_DAY) == ("time", True)
        )
    ]
    assert asked == []
