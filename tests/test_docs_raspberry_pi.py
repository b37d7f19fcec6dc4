"""What the page on the Raspberry Pi says of several buses is tried."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from layouts import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc import Station, cli
from verified_alloc.control.wires import layout_of, least_scan_ms
from verified_alloc.doctor.config_txt import ConfigTxt
from verified_alloc.station.file import PINS

PAGE = (Path(__file__).parents[1] / "docs" / "raspberry-pi.md").read_text(encoding="utf-8")
DEFAULT_WIRING, RING = re.findall(r"^```toml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
(BLOCK,) = re.findall(r"^```\n(verified-alloc .*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
COMMANDS = BLOCK.splitlines()


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ring.toml").write_text(RING)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run's exit code is 0 only without a violation."""
    assert cli.main(shlex.split(command)[1:]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def test_there_is_something_to_try() -> None:
    assert [shlex.split(command)[1] for command in COMMANDS] == ["run", "run", "wiring"]


def test_modules_of_the_ring_change_hands_on_both_buses() -> None:
    station = Station.from_tables(tomllib.loads(RING))
    assert len(station.contactors) == 72
    with WorkingStation(station) as at_work:
        # Guns 1 and 2 share modules of the first bus, 8 and 9 of the second.
        at_work.ask({1: 240, 8: 240})
        at_work.go_on(20)
        assert at_work.feeds({1: (1, 2, 3, 4, 5, 6), 8: (15, 16, 17, 18, 19, 20)})
        at_work.ask({1: 0, 2: 240, 8: 0, 9: 240})
        at_work.go_on(20)
        assert at_work.feeds({2: (3, 4, 5, 6, 7, 8), 9: (17, 18, 19, 20, 21, 22)})
        assert at_work.reported == []
        assert not at_work.bad()
        assert not at_work.exposures()
        assert all(bus.transactions for bus in at_work.charger.buses.values())


@pytest.mark.usefixtures("at_home")
def test_while_its_second_bus_hangs_the_ring_keeps_what_is_on_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Modules 1 to 14 hang on the first, and so all that guns 1 to 5 reach; guns 8 to 10 reach none
    of them."""
    lines = ["0,1,240", "0,4,120", "0,8,240", "60,8,0"]
    Path("demands.csv").write_text("time_s,gun,demand_kw\n" + "\n".join(lines))
    run = ["run", "--station", "ring.toml", "--demands", "demands.csv", "--json"]
    assert cli.main(run) == 0
    calm = json.loads(capsys.readouterr().out)
    assert cli.main([*run, "--inject", "timeout bus-1 @ 20s for 3s"]) == 0
    upset = json.loads(capsys.readouterr().out)
    delivered, less = calm["energy_kwh"], upset["energy_kwh"]
    assert (less["1"], less["4"]) == (delivered["1"], delivered["4"])
    assert less["8"] < delivered["8"]
    assert all("expanders 1:0x2" in told for told in upset["reported"])


def test_the_first_file_is_the_default_wiring_on_two_buses() -> None:
    station = Station.from_tables(Station.reference().to_tables() | tomllib.loads(DEFAULT_WIRING))
    layout = layout_of(station)
    addresses = [address for _, address in REFERENCE.output_expanders]
    assert layout.output_expanders == tuple((1, at) for at in addresses)
    assert layout.feedback_expanders == tuple((3, at) for at in addresses)


def test_the_times_of_the_ring() -> None:
    station = Station.from_tables(tomllib.loads(RING))
    told = re.search(r"three pairs on each of two buses need (\d+) ms at 400 kHz, (\d+) at", PAGE)
    assert told is not None
    for rate_hz, needed_ms in zip((400_000, 100_000), told.groups(), strict=True):
        assert least_scan_ms(station, {0: rate_hz, 1: rate_hz}) == int(needed_ms)


def test_the_overlays_of_the_table_take_no_line_of_any_station() -> None:
    overlays = re.findall(r"\| `(dt\w+=i2c.*)` \|$", PAGE, flags=re.MULTILINE)
    assert len(overlays) == 4
    for overlay in overlays:
        taken = [line for lines in ConfigTxt(overlay).claimed_lines().values() for line in lines]
        assert not PINS & set(taken)
    # And those that it warns of are lines that stations may have.
    for name, pins in re.findall(r"`(i2c[\w-]+)` (?:takes BCM )?(\d+ and \d+)", PAGE):
        claimed = ConfigTxt(f"dtoverlay={name}").claimed_lines()
        assert list(claimed.values()) == [tuple(map(int, pins.split(" and ")))]
        assert set(*claimed.values()) <= PINS
