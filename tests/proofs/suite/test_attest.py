"""A proof record is written of what is proved, all of it, and of nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from proofs import manifest
from proofs.obligation import PROVED, Claim, Obligation
from proofs.suite import attest, command, prove
from verified_alloc import Station
from verified_alloc.kernel import wiring
from verified_alloc.station import proof_record
from verified_alloc.station.proof_record import Proof, kernel_files, proof_of

STATION = Station.reference()
CERTIFIED = "wiring.may-not-switch"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of one obligation, so that proving everything takes a moment."""
    monkeypatch.setattr(manifest, "ids", lambda: [CERTIFIED])
    monkeypatch.setattr(manifest, "differences", lambda: iter(()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "site.proof.json"


@pytest.mark.usefixtures("short")
def test_what_is_proved_is_attested(file: Path) -> None:
    assert command.run(STATION, jobs=1, record=file) == 0
    told = json.loads(file.read_text())
    proof = proof_of(STATION, file.with_name("site.toml"))
    assert proof == Proof(True, f"proved (1 obligations, {told['date']})")
    (one,) = told["obligations"]
    assert (one["id"], one["verdict"], one["state"]) == (CERTIFIED, "proved", "green")
    assert set(kernel_files()) < told["code"].keys()
    assert {"proofs/switching.py", "proofs/suite/attest.py"} < told["proofs"].keys()
    assert {"z3", "python"} <= told["solvers"].keys()
    made = ({"cnf", "lrat", "txt"}) if shutil.which("cadical") else set()
    assert {name.rpartition(".")[2] for name in told["certificates"]} == made
    assert ("cadical" in told["solvers"]) == bool(made)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.usefixtures("short")
def test_the_same_proof_makes_the_same_record(file: Path) -> None:
    assert command.run(STATION, jobs=1, record=file) == 0
    first = json.loads(file.read_text())
    assert command.run(STATION, jobs=1, record=file) == 0
    again = json.loads(file.read_text())
    for told in (first, again):
        del told["date"], told["sha256"]
    assert again == first


def test_a_part_is_no_proof(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(STATION, only=["wiring.places"], jobs=1, record=file) == 1
    told = f"No proof record was written to {file}: --only proves a part."
    assert told in capsys.readouterr().err
    assert not file.exists()


@pytest.mark.usefixtures("short")
def test_what_is_red_is_no_proof_and_the_old_record_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("as it was")
    monkeypatch.setattr(wiring, "next_coils", lambda over, may, want, latch: tuple(want))
    assert command.run(STATION, jobs=1, record=file) == 1
    assert f"written to {file}: not everything is proved." in capsys.readouterr().err
    assert file.read_text() == "as it was"


@pytest.mark.usefixtures("short")
def test_sources_that_change_meanwhile_are_not_attested(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, theorems = attest.sources()
    edited = code | {"verified_alloc/kernel/rule.py": "0" * 64}
    found = iter([(code, theorems), (edited, theorems)])
    monkeypatch.setattr(attest, "sources", lambda: next(found))
    assert command.run(STATION, jobs=1, record=file) == 1
    assert "the sources have changed while they were proved" in capsys.readouterr().err
    assert not file.exists()


def test_a_folder_that_is_not_there_is_refused_before_anything_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(command, "prove")
    with pytest.raises(command.BadInput, match="no such folder"):
        command.run(STATION, jobs=1, record=tmp_path / "none" / "x")


def test_the_code_is_the_kernel_and_what_else_theorems_are_about() -> None:
    code, _ = attest.sources()
    assert set(kernel_files()) <= code.keys()
    assert "verified_alloc/decide/policies/constraint.py" in code
    assert not [name for name in code if "/commands/" in name or name.startswith("proofs/")]


@pytest.mark.parametrize("table", [key for key in proof_record.LEFT_OUT if "." not in key])
def test_a_theorem_cannot_read_what_the_record_leaves_out(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reads(station: Station) -> Claim:
        return Claim((), bool(vars(getattr(station, table))))

    one = Obligation("wiring.places", "It holds.", (), "any", (), PROVED, 1_000_000, reads)
    monkeypatch.setattr(manifest, "obligations", lambda: {one.id: one})
    monkeypatch.setattr(manifest, "differences", lambda: iter(()))
    assert prove.check(one, STATION).state == prove.GREEN
    (result,) = prove.prove(STATION, only=[one.id], jobs=1)
    assert result.state == prove.RED
