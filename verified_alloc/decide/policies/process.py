"""The constraint solver beside the scan, in a process of its own: a scan asks and goes on."""

import socket
import subprocess
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from queue import SimpleQueue

from verified_alloc import process
from verified_alloc.decide.policies.problem import Answer, NoAnswer, NotYet, Problem

Question = tuple[Problem, str]


class SolverProcess:
    """To be called like `policies.constraint.solve`. It never waits: `NotYet`, until the answer to
    just this question is there.

    One question at a time is under way. The answer to one that is asked no more is dropped, and the
    one that is asked then is the next. A process that has ended is started again, once for each
    question; `at_once` starts it before the first.
    """

    def __init__(self, at_once: bool) -> None:
        self._at_once = at_once
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._busy = False
        self._found: tuple[Question, Answer | Exception] | None = None
        self._starting = threading.Lock()
        self._ended = False
        self._line: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="solver", daemon=True)

    def __enter__(self) -> "SolverProcess":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._starting:
            self._ended = True
            if self._process is not None:
                self._process.kill()
        self._questions.put(None)
        self._thread.join()

    def __call__(self, problem: Problem, policy: str) -> Answer:
        """The answer, if it is there; else the question is on its way."""
        question = problem, policy
        busy, found = self._busy, self._found  # in this order: the thread sets them in the other
        if found is not None and found[0] == question:
            answer = found[1]
            if isinstance(answer, Exception):
                raise answer
            return answer
        if not busy:
            self._busy = True
            self._questions.put(question)
        raise NotYet

    # The thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        if self._at_once:
            self._start()
        while (question := self._questions.get()) is not None:
            self._found = question, self._answer(*question)
            self._busy = False
        self._end()

    def _answer(self, problem: Problem, policy: str) -> Answer | Exception:
        plain = replace(problem, reserved=dict(problem.reserved), wear=dict(problem.wear))
        for _ in range(2):
            line = self._line or self._start()
            if line is None:
                break
            try:
                line.send((plain, policy))
                answer: Answer | Exception = line.recv()
            except (EOFError, OSError):
                self._end()
            else:
                return answer
        return NoAnswer("the solver's process has ended")

    def _start(self) -> Connection | None:
        with self._starting:
            if self._ended:
                return None
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = process.start("verified_alloc.decide.policies", [theirs])
            self._line = Connection(ours.detach())
        return self._line

    def _end(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
