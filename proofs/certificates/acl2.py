"""The second checker: ACL2's, which is itself proved correct (Debian: acl2 and its books)."""

import shutil
import subprocess
from pathlib import Path

from verified_alloc.errors import BadInput

BOOK = "projects/sat/lrat/list-based/run"
WALL_S = 300


class Acl2Missing(BadInput):
    """The checker is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "acl2: not found; install the Debian packages acl2, acl2-books and acl2-books-certs"
        )


def accepts(problem: Path, certificate: Path) -> bool:
    """The proved checker says that the certificate shows the problem unsatisfiable."""
    command = shutil.which("acl2")
    if command is None:
        raise Acl2Missing
    session = (
        f'(include-book "{BOOK}" :dir :system)\n'
        f'(lrat::lrat-check "{problem.resolve()}" "{certificate.resolve()}")\n'
    )
    ran = subprocess.run(
        [command], input=session, capture_output=True, text=True, check=False, timeout=WALL_S
    )
    return any(line.strip() == "s VERIFIED" for line in ran.stdout.splitlines())
