"""The results of a study on disk: a line of JSON for each, appended as they come."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from verified_alloc.errors import BadInput

Result = dict[str, Any]


class Store:
    """Results by key. What is cut off at the end of the file, because the study was killed while it
    wrote, is as if it had not been written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.results: dict[str, Result] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BadInput(f"{path}: {reason}; allowed is a folder to write in") from None
        self._file.seek(0)
        whole = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            self._read(line)
        self._file.truncate(whole)

    def add(self, key: str, result: Result) -> None:
        """One more; with the system when this returns."""
        self.results[key] = result
        self._file.write(_line(key, result))
        self._file.flush()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _read(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            self.results[entry["key"]] = entry["result"]
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                f"{self._path}: {line[:40]!r} is no result; allowed is what a study has written"
            ) from None


def _line(key: str, result: Result) -> bytes:
    return json.dumps({"key": key, "result": result}).encode() + b"\n"
