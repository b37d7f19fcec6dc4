"""`verified-alloc prove`, as people and CI see it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from proofs import command
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
    monkeypatch.setattr(wiring, "place", lambda k: wiring.Place(*divmod(k, 16)))
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
