"""Files and modules that a page, a docstring, a comment or a message names are there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = "verified_alloc|hardware|proofs"
SOURCES = [
    path for package in PACKAGES.split("|") for path in sorted((ROOT / package).rglob("*.py"))
]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FILES = {path.relative_to(ROOT) for path in [*SOURCES, *(ROOT / "tests").rglob("*.py")]}
FILES |= {path.relative_to(ROOT) for path in (ROOT / "docs").iterdir()}

QUOTED_FILE = re.compile(r"`([\w/-]+\.py)`")
FILE = re.compile(rf"(?<![\w/.-])((?:{PACKAGES}|tests|docs)/[\w/.-]+\.(?:py|md))\b")
MODULE = re.compile(rf"`((?:{PACKAGES})(?:\.\w+)+)`")


def texts(path: Path) -> Iterator[str]:
    """A page; of a source file its comments and every string."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield text
        return
    yield from (line.partition("#")[2] for line in text.splitlines())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def is_file(name: str) -> bool:
    """As a path from the root, or by its last parts."""
    parts = Path(name).parts
    return any(file.parts[-len(parts) :] == parts for file in FILES)


def is_module(name: str) -> bool:
    """A module or package, or a name that stands in one."""
    *within, last = name.split(".")
    place = ROOT.joinpath(*within)
    if (place / last).is_dir() or (place / f"{last}.py").exists():
        return True
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return source.exists() and last in re.findall(r"\w+", source.read_text(encoding="utf-8"))


def missing(text: str) -> list[str]:
    files = QUOTED_FILE.findall(text) + FILE.findall(text)
    modules = MODULE.findall(text)
    return [name for name in files if not is_file(name)] + [
        name for name in modules if not is_module(name)
    ]


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(path: Path) -> None:
    assert [name for text in texts(path) for name in missing(text)] == []


def test_what_is_missing_is_seen() -> None:
    there = "`verified_alloc.cli.main`, `hardware.clock`, `run/loop.py`, proofs/plant.py"
    gone = ["`live.py`", "verified_alloc/desk.py", "`hardware.seen`", "`hardware.clock.seen`"]
    assert missing(there) == []
    assert all(missing(name) for name in gone)
