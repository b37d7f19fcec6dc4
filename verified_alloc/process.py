"""This process, which signals end in good order, and those beside the scan: Python modules of ours,
each at the other end of a socket."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CAP_SETGID, CAP_SETUID = 6, 7


def nobody() -> Sequence[str]:
    """Before a command: it is run as a user of no file and no device, and stays that. It keeps the
    group of this process unless that is root's: the journal is read by it, and no device is.
    LookupError where the system has no such user, or not what makes one so."""
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        raise LookupError("no user nobody here") from None
    if shutil.which("setpriv") is None:
        raise LookupError("no setpriv here")
    group = os.getgid() or user.pw_gid
    return (
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={group}", "--clear-groups"),
        *("--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--"),
    )


def start(
    module: str, ends: Iterable[socket.socket], before: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """Start `python -m module` with the numbers of these sockets, which it inherits. Ctrl-C does
    not reach it: that is for the scan."""
    passed = [end.fileno() for end in ends]
    return subprocess.Popen(
        [*before, sys.executable, "-m", module, *map(str, passed)],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        process_group=0,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def may_change_user() -> bool:
    """As root, or as a unit that grants just that."""
    status = Path("/proc/self/status").read_text()
    capable = int(status.partition("CapEff:")[2].split()[0], 16)
    return bool(capable >> CAP_SETUID & capable >> CAP_SETGID & 1)


def shut(paths: Iterable[Path]) -> Path | None:
    """The first folder on the way to one of these that is closed to others."""
    ways = (reversed([*path.parents, *path.resolve().parents]) for path in paths)
    folders = (folder for way in ways for folder in way)
    return next((folder for folder in folders if not folder.stat().st_mode & 0o001), None)


@contextmanager
def ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the run in good order. Only the main thread can be told."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        end()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
