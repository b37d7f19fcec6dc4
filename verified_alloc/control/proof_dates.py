"""When the safety chain was tested, and what came of it: a small file beside the latched faults."""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from verified_alloc import whole_file
from verified_alloc.control.proof_tests import FAILED, PASSED, Outcome
from verified_alloc.errors import reason

CLOSE_S = 5.0
"""A disk that does not answer is waited for so long in the end."""

Unix = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tested(_Model):
    """A test's latest run; times are Unix time, s."""

    verdict: Literal["passed", "failed"]
    said: str
    tested_s: Unix
    passed_s: Unix | None
    """When it passed last."""


class _File(_Model):
    version: Literal[1] = 1
    tests: dict[str, Tested]


def beside(faults: Path) -> Path:
    """Where the dates are of the station whose latched faults are there."""
    return faults.with_name(f"{faults.stem}.proof-tests.json")


class ProofDates:
    """Those in the file at first; without a path they last as long as the process. A file that
    cannot be read or that `disk` cannot write is told to `report`: nothing then counts as tested,
    or is kept."""

    def __init__(self, path: Path | None, report: Callable[[str], None], disk: Executor) -> None:
        self._path = path
        self._report = report
        self._disk = disk
        self.tested = self._load()
        """By test."""
        self._writing: Future[None] | None = None

    def note(self, outcomes: Iterable[Outcome], now_s: float) -> None:
        """What has been tested; what has not, leaves what was. Nobody waits for the disk."""
        for test, verdict, said in outcomes:
            if verdict in (PASSED, FAILED):
                before = self.tested.get(test)
                passed_s = before.passed_s if before is not None else None
                self.tested[test] = Tested(
                    verdict="passed" if verdict == PASSED else "failed",
                    said=said,
                    tested_s=now_s,
                    passed_s=now_s if verdict == PASSED else passed_s,
                )
        if self._path is not None:
            self.pass_on_problems()
            text = _File(tests=self.tested).model_dump_json(indent=1)
            self._writing = self._disk.submit(whole_file.write, self._path, text)

    def pass_on_problems(self) -> None:
        """Tell what became of the file."""
        if self._writing is None or not self._writing.done():
            return
        writing, self._writing = self._writing, None
        try:
            writing.result()
        except OSError as error:
            self._report(f"proof tests {self._path}: {reason(error)}; dates last until the end")

    def close(self) -> None:
        """What is noted is on disk, or told not to be."""
        if self._writing is not None:
            wait([self._writing], CLOSE_S)
        self.pass_on_problems()

    def _load(self) -> dict[str, Tested]:
        if self._path is None:
            return {}
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            return dict(_File.model_validate(stored).tests)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is damaged"
            self._report(
                f"proof tests {self._path}: cannot be read ({why}); all count as never tested"
            )
            return {}
