"""Certificates: made, checked, damaged, archived; and none for what does not hold."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proofs import solver
from proofs.algebras import z3_terms
from proofs.certificates import __main__ as certificates
from proofs.certificates import acl2, certificate, lrat
from proofs.certificates.certificate import (
    CadicalMissing,
    Certificate,
    Refused,
    archive,
    check_archive,
)
from proofs.certificates.claims import FINITE, Finite
from proofs.certificates.cnf import Cnf
from proofs.obligation import PROVED, Claim
from verified_alloc import Station
from verified_alloc.kernel import guard, rule, switching, wiring

pytestmark = pytest.mark.skipif(shutil.which("cadical") is None, reason="needs cadical")

CLAIMS = {claim.id: claim for claim in FINITE}


def pigeons(holes: int) -> Cnf:
    """One pigeon more than holes: unsatisfiable, and not at a glance."""
    nest = [[p * holes + h + 1 for h in range(holes)] for p in range(holes + 1)]
    crowded = [
        (-nest[a][h], -nest[b][h]) for h in range(holes) for a in range(holes + 1) for b in range(a)
    ]
    return Cnf((holes + 1) * holes, (*map(tuple, nest), *crowded), {})


@pytest.fixture(scope="module")
def made() -> Certificate:
    return certificate.certify("pigeons", "four holes", pigeons(4))


def test_a_certificate_is_accepted(made: Certificate) -> None:
    assert made.valid()
    assert made.steps > 1


def test_clauses_without_contradiction_get_none() -> None:
    with pytest.raises(Refused, match="counterexample"):
        certificate.certify("two", "", Cnf(2, ((1, 2), (-1,)), {}))


def test_a_contradiction_at_a_glance() -> None:
    assert certificate.certify("empty", "", Cnf(0, ((),), {})).valid()
    assert certificate.certify("one", "", Cnf(1, ((1,), (-1,)), {})).valid()


def damaged(text: str, chance: random.Random) -> Iterator[str]:
    """A certificate with a hint dropped, a clause shortened, cut off, or in another order."""
    lines = text.splitlines()
    for _ in range(60):
        place = chance.randrange(len(lines))
        number, *rest = map(int, lines[place].split())
        end = rest.index(0)
        clause, hints = rest[:end], rest[end + 1 : -1]
        kind = chance.choice(("hint", "clause", "order"))
        if kind == "hint" and len(hints) > 1:
            del hints[chance.randrange(len(hints))]
        elif kind == "clause" and clause:
            del clause[chance.randrange(len(clause))]
        elif len(hints) > 1:
            hints.insert(0, hints.pop())
        line = " ".join(map(str, (number, *clause, 0, *hints, 0)))
        if line != lines[place]:
            yield "\n".join([*lines[:place], line, *lines[place + 1 :]])
    yield "\n".join(lines[:-1])
    yield ""
    yield text.replace(" 0", "", 1)


def test_damaged_certificates_are_refused(made: Certificate) -> None:
    tried = [lrat.accepts(made.dimacs, text) for text in damaged(made.lrat, random.Random(5))]
    # A few damages leave a proof: a shorter clause that follows all the same, a spare hint.
    assert len(tried) > 40
    assert tried.count(True) <= len(tried) // 10


def test_no_damage_proves_what_is_false(made: Certificate) -> None:
    possible = pigeons(4)._replace(clauses=pigeons(4).clauses[1:])
    for text in (made.lrat, *damaged(made.lrat, random.Random(6))):
        assert not lrat.accepts(possible.dimacs(), text)


@pytest.mark.parametrize(
    ("dimacs", "proof"),
    [
        ("p cnf 1 2\n1 0\n-1 0\n", "3 0 1 2"),  # does not end
        ("p cnf 1 2\n1 0\n-1 0\n", "2 0 1 2 0"),  # a number that is taken
        ("p cnf 1 2\n1 0\n-1 0\n", "3 0 1 4 0"),  # a hint that is not there
        ("p cnf 1 2\n1 0\n-1 0\n", "3 0 3 0"),  # itself
        ("p cnf 1 2\n1 0\n-1 0\n", "3 0 -1 2 0"),  # a RAT step
        ("p cnf 1 3\n1 0\n-1 0\n", "4 0 1 2 0"),  # not as the header says
        ("p cnf 1 3\n1 0\n-1 0\n2 0\n", "4 0 1 2 0"),  # a variable beyond
        ("p cnf 1 3\n1 0\n-1 0\n-2 0\n", "4 0 1 2 0"),
        ("p cnf 1 2\n1 0\n-1\n", "3 0 1 2 0"),  # a clause that does not end
        ("1 0\n-1 0\n", "3 0 1 2 0"),  # no header
        ("c a comment\np cnf 1 2\n1 0\n-1 0\n", "3 0 1 2 0"),
        ("p cnf 1 2\n1 0\n-1 0\n", "3 0 1 2 0 0"),
        ("p cnf 1 2\n1 0\n-1 0\n", "three 0 1 2 0"),
    ],
)
def test_what_is_not_clear_is_refused(dimacs: str, proof: str) -> None:
    assert lrat.accepts("p cnf 1 2\n1 0\n-1 0\n", "3 0 1 2 0\n")
    assert not lrat.accepts(dimacs, proof)


def test_the_archive_tells_when_a_file_was_changed(made: Certificate, tmp_path: Path) -> None:
    archive(tmp_path, [made])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "SHA256SUMS",
        "pigeons.cnf",
        "pigeons.lrat",
        "pigeons.txt",
    ]
    assert check_archive(tmp_path) == []
    (tmp_path / "pigeons.cnf").write_text(made.dimacs.replace("0", "0 ", 1), "utf-8")
    assert check_archive(tmp_path) == ["pigeons.cnf: is not the file that was archived"]
    (tmp_path / "pigeons.lrat").unlink()
    assert "pigeons.lrat: is not the file that was archived" in check_archive(tmp_path)
    archive(tmp_path, [made._replace(lrat="")])
    assert check_archive(tmp_path) == ["pigeons.cnf: its certificate is refused"]
    *most, last = made.lrat.splitlines()
    archive(tmp_path, [made._replace(lrat="\n".join([*most, last.replace(" 0", " 0 1", 1)]))])
    assert check_archive(tmp_path) == ["pigeons.cnf: its certificate is refused"]


def test_reasons_that_the_checker_refuses_make_no_certificate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = certificate.reasons
    monkeypatch.setattr(
        certificate,
        "reasons",
        lambda *given: [step._replace(hints=step.hints[1:]) for step in sound(*given)],
    )
    with pytest.raises(Refused, match="the checker refuses the certificate"):
        certificate.certify("pigeons", "", pigeons(4))


def test_without_cadical_there_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CadicalMissing, match="install the Debian package cadical"):
        certificate.certify("pigeons", "", pigeons(2))
    monkeypatch.setattr("sys.argv", ["certify", str(tmp_path)])
    assert certificates.main() == 2
    assert "Debian package cadical" in capsys.readouterr().err


def test_without_acl2_there_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(acl2.Acl2Missing, match="acl2-books-certs"):
        acl2.accepts(tmp_path / "a.cnf", tmp_path / "a.lrat")


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_claim_is_certified_and_not_empty(name: str, small: Station) -> None:
    (found,) = [one for one in certificates.certify(small, [name]) if one.claim.id == name]
    assert found.reasons == ()
    assert found.certificate is not None
    assert found.certificate.valid()


class Z3WithInputs:
    """The Z3 algebra with a circuit's inputs, so that a claim runs on both."""

    def __init__(self) -> None:
        self.ranges: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(z3_terms, name)

    def bits(self, name: str, *sizes: int) -> Any:
        return z3_terms.bools(name, *sizes)

    def number(self, name: str, low: int, high: int) -> Any:
        number = z3_terms.ints(name)
        self.ranges += [number >= low, number <= high]
        return number

    def numbers(self, name: str, size: int, *, low: int, high: int) -> Any:
        return [self.number(f"{name} {n}", low, high) for n in range(1, size + 1)]

    def unread(self, name: str) -> Any:
        return z3_terms.ints(name)


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_z3_says_the_same_of_the_same_claim(name: str, small: Station) -> None:
    over = Z3WithInputs()
    claim = CLAIMS[name].claim(over, small)
    claim = Claim((*over.ranges, *claim.hypotheses), claim.goal)
    assert solver.decide(claim, 100_000_000).answer == PROVED


def greedy(ops: Any, grant: Any, reached: Any, power: Any, free: Any, usable: Any) -> Any:
    """`rule.take` with one module too many."""
    takes = ops.and_(free, usable, grant >= reached)
    return takes, reached + ops.ite(takes, power, 0), ops.and_(free, ops.not_(takes))


def shared(ops: Any, grant: Any, reached: Any, power: Any, free: Any, usable: Any) -> Any:
    """`rule.take` that leaves the module to others as well."""
    takes = ops.and_(free, usable, grant > reached)
    return takes, reached + ops.ite(takes, power, 0), free


def unsettled(ops: Any, target: Any, locked: Any, stop: Any) -> Any:
    """`switching.wanted` that forgets locks and stops."""
    return list(target)


BROKEN: list[tuple[Any, str, Any, tuple[str, ...]]] = [
    (rule, "take", greedy, ("rule.no-waste", "rule.guard-accepts", "rule.gun-cap")),
    (rule, "take", shared, ("rule.one-gun-per-module", "rule.guard-accepts")),
    (guard, "at_most_one", lambda ops, bits: True, ("guard.one-gun-per-module",)),
    (guard, "within_limit", lambda given, limit: given[0] <= limit, ("guard.total-within-limit",)),
    (
        guard,
        "powers",
        lambda ops, row, powers: (sum(powers), 0),
        ("guard.delivered-within-means",),
    ),
    (
        switching,
        "wanted",
        unsettled,
        (
            "scan.stop-is-off.one-module",
            "scan.locked-is-off.one-module",
            "scan.no-second-contactor.one-module",
        ),
    ),
    (
        switching,
        "on_gun",
        lambda ops, readings, contactors: True,
        ("scan.enabled-on-its-target.one-module", "scan.invalid-is-off.one-module"),
    ),
    (
        wiring,
        "next_coils",
        lambda ops, may, wanted, verified: tuple(wanted),
        ("wiring.may-not-switch",),
    ),
]


@pytest.mark.parametrize(("module", "function", "broken", "names"), BROKEN)
def test_a_broken_kernel_gets_no_certificate(
    module: Any,
    function: str,
    broken: Any,
    names: tuple[str, ...],
    small: Station,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, function, broken)
    for name in names:
        (found,) = [one for one in certificates.certify(small, [name]) if one.claim.id == name]
        assert found.certificate is None, name
        assert "counterexample" in found.reasons[0]


def test_an_empty_claim_is_not_certified(small: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(over: Any, station: Station) -> Claim:
        bit = over.bits("bit")
        return Claim((bit,), bit, covers=(("bit is off", over.not_(bit)),))

    empty = Finite("rule.never", "It says nothing.", (), "nowhere", never)
    monkeypatch.setattr(certificates, "FINITE", (empty,))
    (found,) = certificates.certify(small)
    assert found.reasons == ("vacuous: bit is off",)


@pytest.mark.skipif(shutil.which("acl2") is None, reason="needs acl2 and its books")
def test_the_proved_checker_agrees(made: Certificate, tmp_path: Path) -> None:
    archive(tmp_path, [made])
    problem, proof = tmp_path / "pigeons.cnf", tmp_path / "pigeons.lrat"
    assert acl2.accepts(problem, proof)
    proof.write_text("".join(f"{line}\n" for line in made.lrat.splitlines()[1:]), "utf-8")
    assert not acl2.accepts(problem, proof)
