"""`verified-alloc prove`, as people and CI see it."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from proofs import manifest
from proofs.certificates.certificate import check_archive
from proofs.suite import command
from proofs.suite.mutants import Mutant
from proofs.suite.mutation import KILLED, SURVIVES, Fate, Score
from verified_alloc import Station
from verified_alloc.errors import BadInput
from verified_alloc.kernel import wiring

STATION = Station.reference()


def test_green_is_0_and_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(STATION, only=["wiring.places"], jobs=1) == 0
    printed = capsys.readouterr().out
    assert "wiring.places" in printed
    assert "1 obligations: 1 green" in printed


def test_red_is_1_in_every_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wiring, "PINS_PER_PORT", 8)
    junit, markdown = tmp_path / "prove.xml", tmp_path / "prove.md"
    code = command.run(
        STATION, only=["wiring.places"], jobs=1, as_json=True, junit=junit, markdown=markdown
    )
    assert code == 1
    result = json.loads(capsys.readouterr().out)
    assert not result["green"]
    assert result["obligations"][0]["state"] == "red"
    assert "not on a pin" in result["obligations"][0]["counterexample"]
    suite = ElementTree.parse(junit).getroot()
    assert suite.attrib["failures"] == "1"
    assert "❌ | `wiring.places`" in markdown.read_text(encoding="utf-8")


def test_an_expected_failure_shows_its_counterexample(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(STATION, only=["guard.other-look.unequal"], jobs=1) == 0
    assert "the gun looks at PM2 first" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [{"only": ["rule.no-such"]}, {"jobs": 0}, {"junit": Path("/no/such/folder/x")}]
)
def test_bad_input_is_refused_in_a_line(wrong: dict[str, object]) -> None:
    options: dict[str, object] = {"only": ["wiring.places"], "jobs": 1, **wrong}
    with pytest.raises(BadInput) as refused:
        command.run(STATION, **options)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_certificates_are_archived_with_their_hashes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("cadical") is None:
        pytest.skip("cadical is not installed")
    folder = tmp_path / "certificates"
    assert command.run(STATION, only=["wiring.may-not-switch"], jobs=1, certificates=folder) == 0
    assert " steps" in capsys.readouterr().out
    assert check_archive(folder) == []
    (folder / "wiring.may-not-switch.lrat").write_text("1 0 1 0\n", encoding="utf-8")
    assert len(check_archive(folder)) == 2


def test_without_cadical_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert command.run(STATION, only=["wiring.may-not-switch"], jobs=1) == 0
    assert "No certificates were made. cadical: not found" in capsys.readouterr().err
    with pytest.raises(BadInput, match="cadical"):
        command.run(STATION, only=["wiring.may-not-switch"], jobs=1, certificates=tmp_path)


def test_a_surviving_mutant_is_red(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mutant = Mutant("rule", "least", "a < b: LtE", 1, "")
    score = Score(
        "rule", (Fate(mutant, SURVIVES, "", 1.0), Fate(mutant, KILLED, "wiring.places", 1))
    )
    monkeypatch.setattr(manifest, "ids", lambda: ["wiring.places"])
    monkeypatch.setattr(manifest, "differences", lambda: iter(()))
    monkeypatch.setattr(command, "_hunted", lambda results, jobs: [score])
    markdown = tmp_path / "prove.md"
    assert command.run(STATION, jobs=1, full=True, as_json=True, markdown=markdown) == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert not result["green"]
    assert result["mutants"] == {"rule": {"survives": 1, "killed": 1}}
    assert result["obligations"][0]["mutants"] == 1
    assert "rule.least: a < b: LtE: survives" in printed.err
    assert "1 survive" in markdown.read_text(encoding="utf-8")
