"""Processes beside the scan: Python modules of ours, each at the other end of a socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable


def start(module: str, ends: Iterable[socket.socket]) -> subprocess.Popen[bytes]:
    """Start `python -m module` with the numbers of these sockets, which it inherits. Ctrl-C does
    not reach it: that is for the scan."""
    passed = [end.fileno() for end in ends]
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, passed)],
        pass_fds=passed,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        process_group=0,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
