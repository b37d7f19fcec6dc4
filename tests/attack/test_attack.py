"""The attacks, shorter: each was through before its defence was there."""

from collections.abc import Iterator

import pytest
from attack import attacks
from attack.attacks import ATTACKS, Attack
from service.served import Served

pytestmark = pytest.mark.xdist_group("attack")  # one station for all of them


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("attacked")) as station:
        yield station


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_holds(attack: Attack, at_work: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacks, "SILENT", 300)
    monkeypatch.setattr(attacks, "PRESSED_S", 0.5)
    outcome = attack.play(at_work)
    assert outcome.held, outcome.figure
