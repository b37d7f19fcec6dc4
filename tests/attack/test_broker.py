"""Nobody speaks for another station, and no gun waits behind another's flood."""

from pathlib import Path

import pytest
from attack import broker

pytestmark = pytest.mark.xdist_group("mqtt")


def test_of_two_stations_of_one_name_the_first_speaks_until_it_is_gone(tmp_path: Path) -> None:
    asked_kw, said, taken_over = broker.twins(tmp_path)
    assert asked_kw == [40, 0]
    assert "topic verified-alloc/tried is spoken for by station 'tried' on '" in said
    assert taken_over


@pytest.mark.parametrize("qos", [0, 1])
def test_a_flood_of_one_gun_keeps_no_other_waiting(tmp_path: Path, qos: int) -> None:
    answered, _ = broker.flood(tmp_path, qos)
    assert answered == broker.ASKED
