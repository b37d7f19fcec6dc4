"""`--hardware pi` on a machine that is none: behind the seams stands the simulated charger."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from proof_records import PROVED, write_record

from hardware import bus_time
from verified_alloc import Station, cli
from verified_alloc.control.assembly import simulated_charger

ENABLES = Station.reference().hardware.enable_pins
WATCHDOG_PIN = Station.reference().hardware.watchdog_pin
ASKS_FOR_PROOF = """[station]
guns = 6
modules = 9
module_power_kw = 40
gun_max_power_kw = 120
require_proof = true
"""
TRACE = "time_s,gun,demand_kw\n0,1,160\n0,3,120\n0,5,80\n"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    return path


def on_pi(*options: str) -> list[str]:
    return ["run", "--hardware", "pi", *options]


def test_it_runs_wherever_the_seams_lead(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    station = Station.reference()
    charger = simulated_charger(station)
    for gun, kw in ((1, 160), (3, 120), (5, 80)):
        charger.cabinet.vehicle(gun, kw * 1000)
    with charger.installed():
        options = ("--until", "3", "--faults", str(tmp_path / "faults"), "--demands", str(trace))
        assert cli.main(on_pi(*options)) == 0, capsys.readouterr().err
    charger.monitor.settle()
    fed = {1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)}
    assert charger.monitor.makes == {(gun, m): 1 for gun, held in fed.items() for m in held}
    assert not charger.monitor.violations
    assert not charger.cabinet.closed_contactors()


def test_a_scan_shorter_than_its_time_on_the_bus_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bus_time, "bit_rate_hz", lambda bus: 100_000)
    assert cli.main(on_pi("--faults", str(tmp_path / "faults"))) == 2
    assert capsys.readouterr().err == (
        "verified-alloc: timing.scan_ms = 20: allowed is at least 22, the time that a scan takes on"
        " I2C bus 1 at 100 kHz\n"
    )


def test_a_station_that_asks_for_a_proof_starts_on_a_pi_only_with_one(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.toml"
    site.write_text(ASKS_FOR_PROOF)
    options = ("--station", str(site), "--demands", str(trace), "--until", "1")
    on_wires = on_pi(*options, "--faults", str(tmp_path / "faults"))
    assert cli.main(["run", *options]) == 0  # simulated, it only says so
    assert "Proof: " in capsys.readouterr().out
    record = tmp_path / "site.proof.json"
    record.write_text("{")
    assert cli.main(on_wires) == 2
    assert capsys.readouterr().err == (
        f"verified-alloc: station.require_proof = true: not proved ({record}: it is not JSON);"
        f" allowed is a station that is proved: verified-alloc prove --station {site}"
        f" --attest {record}\n"
    )
    station = Station.from_toml(site)
    write_record(record, station)
    with simulated_charger(station).installed():
        assert cli.main([*on_wires, "--json"]) == 0, capsys.readouterr().err
    assert json.loads(capsys.readouterr().out)["proof"] == PROVED


def test_simulated_the_speed_of_this_machines_bus_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bus_time, "bit_rate_hz", lambda bus: 1000)
    assert cli.main(["run", "--demands", "hour", "--until", "1"]) == 0


class Pi:
    """A machine: levels that stay, and whoever listens to what its processes tell systemd."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "levels").write_bytes(b"0" * 28)
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / "notify"))

    def start(self, *argv: str) -> subprocess.Popen[str]:
        told = {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "400000"}
        paths = os.pathsep.join(filter(None, sys.path))
        return subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("pi_process.py")),
                str(self.folder),
                *argv,
            ],
            env={**os.environ, **told, "PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def high(self) -> list[int]:
        levels = (self.folder / "levels").read_bytes()
        return [line for line in ENABLES if levels[line : line + 1] == b"1"]

    def watchdog_level(self) -> bytes:
        return (self.folder / "levels").read_bytes()[WATCHDOG_PIN : WATCHDOG_PIN + 1]

    def hears(self, text: str, within_s: float) -> bool:
        until_s = time.monotonic() + within_s
        while (left_s := until_s - time.monotonic()) > 0:
            self.systemd.settimeout(left_s)
            try:
                if text in self.systemd.recv(4096).decode():
                    return True
            except TimeoutError:
                break
        return False


def test_a_hung_scan_ends_with_every_module_off_without_i2c(trace: Path, tmp_path: Path) -> None:
    """systemd's part is played here: it hears nothing, kills, and runs ExecStopPost."""
    pi = Pi(tmp_path)
    options = ("--until", "600", "--faults", str(tmp_path / "faults"), "--demands", str(trace))
    station = pi.start(*on_pi(*options))
    try:
        assert pi.hears("READY=1", within_s=20), station.stderr and station.poll()
        until_s = time.monotonic() + 20
        while len(pi.high()) < 9 and time.monotonic() < until_s:
            time.sleep(0.05)
        assert pi.high() == list(ENABLES)
        assert pi.hears("WATCHDOG=1", within_s=5)
        (tmp_path / "hang").touch()
        while pi.hears("WATCHDOG=1", within_s=1):
            pass
        still = pi.watchdog_level()
        time.sleep(0.3)
        assert station.poll() is None
        assert pi.watchdog_level() == still  # no edge: the relay supply's watchdog cuts enables
        station.send_signal(signal.SIGABRT)
        station.wait(10)
    finally:
        station.kill()
        station.communicate()
    assert pi.high() == list(ENABLES)  # a killed process leaves its lines as they are
    stop_post = pi.start("off")
    assert stop_post.wait(20) == 0, stop_post.communicate()
    assert pi.high() == []
    stop_post.communicate()
