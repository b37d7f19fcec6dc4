"""Judges mutants of the glue: the tests that reach a mutant's lines are run on it, until one fails.

Each mutant is loaded in place of its file, in a process forked from one that has loaded pytest and
what the tests import from elsewhere. Which test reaches which line is seen once, on the shipped
files. A test that takes far longer than it did then has noticed too: a mutant may loop for ever.
"""

import ast
import builtins
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from itertools import accumulate
from multiprocessing import get_context
from typing import Any, NamedTuple

import pytest

from glue_mutants.argued import ARGUED
from glue_mutants.changes import FILES, ROOT, module
from proofs.suite.mutants import Instead, Mutant

STATES = KILLED, ARGUED_ALIVE, SURVIVES, UNJUDGED = "killed", "argued", "survives", "not judged"

TESTS = ("tests/control", "tests/hardware", "tests/decide/test_allocate.py")
"""Where the tests of the glue are."""
NOTE = "glue_mutants_reached"
Lines = tuple[str, int, int]
"""A statement: its module, its first and its last line; of one with others in it, the head."""
PATIENCE, LEAST_S = 10, 5.0
"""A test may take so many times what it took on the shipped files, and at least so long, of the
processor's time: that others are at work too kills no mutant."""
BUDGET_S = 6.0
"""The tests run on one mutant take so long together on the shipped files: a mistake in the glue is
noticed by tests near it, not by a whole life of a station."""
WALL_S = 900.0
"""A mutant that is not judged by then is not judged: the machine may be busy."""
LOADED = ("pytest", "hypothesis", "pydantic", "gpiozero", "smbus2", "typer", "rich", "ortools")
OURS = ("verified_alloc", "hardware", "proofs")
OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not sweep")


class Reach(NamedTuple):
    """What one test did on the shipped files."""

    test: str
    seconds: float
    lines: frozenset[Lines]
    """What it reached of the glue."""


class Fate(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    state: str
    by: str
    """The test that failed, if one did."""
    tests: int
    seconds: float


class _TooLong(BaseException):
    """No `except Exception` of the glue holds it up."""


class _Watch:
    """In a run of pytest: which test failed, within limits of time."""

    def __init__(self, limits_s: Mapping[str, float]) -> None:
        self.limits_s = limits_s
        self.failed = ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        def too_long(*_: object) -> None:
            raise _TooLong(item.nodeid)

        signal.signal(signal.SIGPROF, too_long)
        signal.setitimer(signal.ITIMER_PROF, self.limits_s.get(item.nodeid, 60.0))
        yield
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


class _Reached:
    """In a run of pytest: which test reaches which statements of the glue."""

    def __init__(self) -> None:
        self.reaches: list[Reach] = []
        self.lines: set[Lines] = set()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.lines.clear()
        started_s = time.perf_counter()
        yield
        took_s = time.perf_counter() - started_s
        if self.lines:
            self.reaches.append(Reach(item.nodeid, took_s, frozenset(self.lines)))


def _noted(path: str) -> str:
    """That file, where each statement first notes that it is reached."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        for node in list(ast.walk(function)):
            for field in ("body", "orelse", "finalbody"):
                body = getattr(node, field, None)
                if isinstance(body, list):
                    setattr(node, field, [each for one in body for each in (_note(path, one), one)])
    return ast.unparse(ast.fix_missing_locations(tree))


def _note(path: str, node: ast.stmt) -> ast.stmt:
    inside = getattr(node, "body", None)
    last = inside[0].lineno - 1 if inside else node.end_lineno
    lines = (module(path), node.lineno, max(node.lineno, last or 0))
    return ast.parse(f"{NOTE}({lines!r})").body[0]


def _instead(sources: Mapping[str, str]) -> None:
    """From here on, these sources are loaded in place of their modules."""
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    sys.meta_path[:0] = [Instead(*each) for each in sources.items()]


def _pytest(tests: Sequence[str], plugin: object) -> int:
    os.chdir(ROOT)
    folder = tempfile.mkdtemp(prefix="glue-mutant-")
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        try:
            return int(pytest.main([*OPTIONS, f"--basetemp={folder}/t", *tests], [plugin]))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _reaches(tests: str, pipe: Any) -> None:
    reached = _Reached()
    setattr(builtins, NOTE, reached.lines.add)
    _instead({module(path): _noted(path) for path in FILES})
    code = _pytest([tests], reached)
    pipe.send(reached.reaches if code == 0 else f"{tests} fails on the shipped files")


def _judge(mutant: Mutant, limits_s: Mapping[str, float], pipe: Any) -> None:
    """In a process of its own: sends the fate's state, and the test that failed. File by file of
    the tests, in the order of the first test of each: most mutants do not get beyond one."""
    _instead({mutant.file: mutant.source})
    try:
        import_module(mutant.file)
    except Exception:
        pipe.send((KILLED, "loading"))
        return
    by_file: dict[str, list[str]] = {}
    for test in limits_s:
        by_file.setdefault(test.split("::")[0], []).append(test)
    for tests in by_file.values():
        watch = _Watch(limits_s)
        code = _pytest(tests, watch)
        if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
            pipe.send((UNJUDGED, tests[0]))
            return
        if code:
            pipe.send((KILLED, watch.failed))
            return
    pipe.send((SURVIVES, ""))


def _in_a_process(target: Any, *arguments: Any) -> Any:
    """What the process sends; `EOFError` if it ends before, `TimeoutError` after `WALL_S`."""
    context = get_context("forkserver")
    context.set_forkserver_preload([*LOADED, "glue_mutants.hunt"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*arguments, sender))
    process.start()
    sender.close()
    try:
        if not receiver.poll(WALL_S):
            raise TimeoutError(f"no answer within {WALL_S:.0f} s")
        return receiver.recv()
    finally:
        process.kill()
        process.join()


def reaches(jobs: int) -> list[Reach]:
    """Every test that reaches the glue. RuntimeError where one fails on the shipped files."""
    with ThreadPoolExecutor(jobs) as pool:
        every = pool.map(lambda tests: _in_a_process(_reaches, tests), TESTS)
        found: list[Reach] = []
        for answer in every:
            if not isinstance(answer, list):
                raise RuntimeError(answer)
            found += answer
    return sorted(found, key=lambda reach: reach.seconds)


def tests_for(mutant: Mutant, every: Sequence[Reach]) -> list[Reach]:
    """The tests that reach its lines (of what only loading reaches, all of the file's), fastest
    first, within `BUDGET_S`."""

    def touches(lines: Lines) -> bool:
        name, first, last = lines
        return name == mutant.file and first < mutant.lines.stop and mutant.lines.start <= last

    near = [reach for reach in every if any(map(touches, reach.lines))] or [
        reach for reach in every if any(name == mutant.file for name, _, _ in reach.lines)
    ]
    spent_s = list(accumulate(reach.seconds for reach in near))
    return [reach for reach, after_s in zip(near, spent_s, strict=True) if after_s <= BUDGET_S]


def fate(mutant: Mutant, tests: Sequence[Reach]) -> Fate:
    """What becomes of this mutant when these tests are run on it."""
    started_s = time.perf_counter()
    if mutant.name in ARGUED:
        return Fate(mutant, ARGUED_ALIVE, "", 0, 0.0)
    limits_s = {each.test: max(LEAST_S, PATIENCE * each.seconds) for each in tests}
    try:
        state, by = _in_a_process(_judge, mutant, limits_s)
    except (EOFError, OSError) as error:  # ended from outside, or a busy machine: no test failed
        state, by = UNJUDGED, repr(error)
    return Fate(mutant, state, by, len(tests), time.perf_counter() - started_s)
