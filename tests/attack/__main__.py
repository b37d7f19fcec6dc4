"""Every attack on a station on loopback, and what comes of it: `python -m attack`."""

import resource
import sys
import tempfile
from pathlib import Path

from attack import broker, clock, disk
from attack.attacks import ATTACKS
from service.served import Served


def main() -> int:
    """1 if one of them kept somebody else out."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))  # as a service of systemd has it
    held = True
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as at_work:
        for attack in ATTACKS:
            outcome = attack.play(at_work)
            held &= outcome.held
            print(f"{attack.name}: {'held' if outcome.held else 'NOT HELD'}")
            print(f"    before  {attack.before}\n    now     {outcome.figure}", flush=True)
    for others in (disk, broker, clock):
        others.main()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
