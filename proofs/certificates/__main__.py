"""`python -m proofs.certificates DIR [STATION.toml]`: the finite core's, to be archived.

Every certificate is made, checked, written, read back and checked again, and by ACL2's proved
checker as well where that is installed.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from proofs.certificates import acl2
from proofs.certificates.certificate import Certificate, Refused, archive, check_archive, stem
from proofs.certificates.claims import FINITE
from proofs.certificates.finite import Finite, certificate, empty_cases
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station


class Certified(NamedTuple):
    """What came of one claim."""

    claim: Finite
    certificate: Certificate | None
    reasons: tuple[str, ...] = ()
    """Why there is none, or what is wrong with the claim; nothing if it is certified."""


def certify(
    station: Station,
    only: Sequence[str] = (),
    watch: Callable[[Certified], None] = lambda certified: None,
) -> list[Certified]:
    """Every claim of the finite core whose id is one of `only` or within one of those (all, if
    there are none). BadInput if the SAT solver is not installed."""
    found = []
    for claim in FINITE:
        if not only or any(claim.id == name or claim.id.startswith(f"{name}.") for name in only):
            found.append(_certified(claim, station))
            watch(found[-1])
    return found


def _certified(claim: Finite, station: Station) -> Certified:
    try:
        made = certificate(claim, station)
    except Refused as refused:
        return Certified(claim, None, (str(refused),))
    return Certified(claim, made, tuple(f"vacuous: {name}" for name in empty_cases(claim, station)))


def write(folder: Path, found: Sequence[Certified]) -> list[str]:
    """Archive them; what is wrong with the archive when it is read back. BadInput if it cannot be
    written."""
    made = [one.certificate for one in found if one.certificate is not None]
    try:
        archive(folder, made)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written, {error.strerror}") from None
    return check_archive(folder)


def second_opinion(folder: Path, found: Sequence[Certified]) -> list[str]:
    """What ACL2 refuses of the archive; BadInput if it is not installed."""
    names = [stem(one.certificate.name) for one in found if one.certificate is not None]
    return [
        f"{name}: ACL2 does not accept its certificate"
        for name in names
        if not acl2.accepts(folder / f"{name}.cnf", folder / f"{name}.lrat")
    ]


def main() -> int:
    """0 if every claim is certified, 1 if not, 2 if something is missing or cannot be read."""
    folder, *rest = sys.argv[1:] or ["certificates"]
    try:
        station = Station.from_toml(Path(rest[0])) if rest else Station.reference()
        found = certify(station, watch=_say)
        wrong = write(Path(folder), found)
        try:
            wrong += second_opinion(Path(folder), found)
            print("checked by ACL2 as well")
        except acl2.Acl2Missing as missing:
            print(f"not checked a second time: {missing}")
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    for line in wrong:
        print(line)
    uncertified = sum(bool(one.reasons) for one in found)
    print(f"{len(found) - uncertified} of {len(found)} certified for {station.name}, in {folder}")
    return int(bool(wrong or uncertified))


def _say(one: Certified) -> None:
    made = one.certificate
    size = (
        f"{made.steps:6} steps {len(made.lrat) // 1000:5} kB {made.seconds:5.1f} s" if made else ""
    )
    print(f"{one.claim.id:42} {size} {'; '.join(one.reasons)}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
