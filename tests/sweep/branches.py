"""What would happen if: work done in a copy of this process; only its result comes back."""

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def branch(work: Callable[[], Result]) -> Result:
    """What `work` returns (anything that can be pickled), without it having happened here."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                try:
                    answer = (True, work())
                except BaseException:
                    answer = (False, traceback.format_exc())  # type: ignore[assignment]
                pickle.dump(answer, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    good, answer = pickle.loads(told)
    if not good:
        raise AssertionError(f"in a branch:\n{answer}")
    return answer
