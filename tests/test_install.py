"""The service: what is written, and what systemd itself says to it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from proof_records import PROVED, write_record

from verified_alloc import Station, cli, install
from verified_alloc.run.real_time import PRIORITY
from verified_alloc.service.connections import ACCEPTED_AT_ONCE, CONNECTIONS
from verified_alloc.station.proof_record import beside

STATION = """[station]
guns = 2
modules = 2
module_power_kw = 40
gun_max_power_kw = 80

[hardware]
watchdog_device = "/dev/watchdog0"
"""
ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "executable", shutil.which("true"))  # open to all wherever it is
    (tmp_path / "site.toml").write_text(STATION)
    return tmp_path / "site.toml"


@pytest.fixture
def image(site: Path, tmp_path: Path) -> Path:
    root = tmp_path / "image"
    assert cli.main(["install-service", "--station", str(site), "--root", str(root)]) == 0
    return root


def settings(image: Path) -> list[str]:
    text = (image / "etc/systemd/system/verified-alloc.service").read_text()
    assert "@" not in text.replace("SystemCallFilter=@system-service", "")
    return text.splitlines()


def test_the_station_file_travels_and_the_unit_names_it(image: Path) -> None:
    copied = image / "etc/verified-alloc/station.toml"
    assert copied.read_text() == STATION
    told = settings(image)
    (start,) = [line for line in told if line.startswith("ExecStart=")]
    assert start.startswith(f"ExecStart={sys.executable} -I -m verified_alloc run --hardware pi")
    assert "--station /etc/verified-alloc/station.toml" in start


def test_the_proof_record_travels_with_the_station_file(
    site: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that was there for an earlier station file does not stay."""
    options = ["install-service", "--station", str(site), "--root", str(image)]
    copied = image / "etc/verified-alloc/station.proof.json"
    assert not copied.exists()
    write_record(beside(site), Station.from_toml(site))
    assert cli.main(options) == 0
    assert f"Proof: {PROVED}.\n" in capsys.readouterr().out
    assert copied.read_bytes() == beside(site).read_bytes()
    assert cli.main(["install-service", "--root", str(image)]) == 0
    assert f"Proof: {PROVED}.\n" in capsys.readouterr().out
    beside(site).write_bytes(b"\xff")
    assert cli.main(options) == 0
    assert f"not proved ({copied}: it is not JSON)" in capsys.readouterr().out
    beside(site).unlink()
    assert cli.main(options) == 0
    assert not copied.exists()


def test_what_the_rules_ask_of_it(image: Path) -> None:
    told = settings(image)
    for line in ("Type=notify", "WatchdogSec=2", "RestartPreventExitStatus=2", "DynamicUser=yes"):
        assert line in told
    rights = "CAP_SETUID CAP_SETGID CAP_KILL"  # to start the service process as nobody, and end it
    for line in (f"AmbientCapabilities={rights}", f"CapabilityBoundingSet={rights}"):
        assert line in told
    assert f"LimitRTPRIO={PRIORITY}" in told
    assert not [line for line in told if line.startswith("RestrictRealtime")]
    (files,) = [int(line[12:]) for line in told if line.startswith("LimitNOFILE=")]
    assert files > 2 * (CONNECTIONS + ACCEPTED_AT_ONCE)
    (post,) = [line for line in told if line.startswith("ExecStopPost=")]
    assert "-m verified_alloc off --station /etc/verified-alloc/station.toml" in post


def test_a_slow_station_is_given_its_time(image: Path, site: Path) -> None:
    assert "TimeoutStopSec=34" in settings(image)
    site.write_text(STATION + "[timing]\noffer_lead_ms = 60000\n")
    assert cli.main(["install-service", "--station", str(site), "--root", str(image)]) == 0
    assert {"TimeoutStopSec=211", "TimeoutStartSec=211"} <= set(settings(image))


def test_a_watchdog_device_is_opened_to_the_service_and_none_if_there_is_none(
    image: Path, site: Path, tmp_path: Path
) -> None:
    assert "DeviceAllow=/dev/watchdog0 rw" in settings(image)
    site.write_text(STATION.partition("[hardware]")[0])
    bare = tmp_path / "bare"
    assert cli.main(["install-service", "--station", str(site), "--root", str(bare)]) == 0
    assert not any("/dev/watchdog" in line for line in settings(bare))


def test_the_service_may_read_its_secrets_and_nobody_else(image: Path, site: Path) -> None:
    hers = '[[service.token]]\nname = "hers"\nrole = "read"\nfile = "/etc/hers"\n'
    site.write_text(STATION + f'[service]\ntoken_file = "/etc/verified-alloc/token"\n{hers}')
    assert cli.main(["install-service", "--station", str(site), "--root", str(image)]) == 0
    told = settings(image)
    assert "ExecStartPre=+/bin/chgrp i2c /etc/verified-alloc/token" in told
    assert "ExecStartPre=+/bin/chmod g+r /etc/verified-alloc/token" in told
    assert "ExecStartPre=+/bin/chmod g+r /etc/hers" in told


@pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze")
def test_systemd_finds_nothing_wrong_and_it_well_shut_in(image: Path) -> None:
    unit = str(image / "etc/systemd/system/verified-alloc.service")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    shut_in = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", unit]
    done = subprocess.run(shut_in, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_installed_again_without_a_station_file_the_one_there_is_taken(image: Path) -> None:
    assert cli.main(["install-service", "--root", str(image)]) == 0
    assert (image / "etc/verified-alloc/station.toml").read_text() == STATION


def test_a_dry_run_writes_nothing(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "none"
    options = ["--station", str(site), "--root", str(root), "--dry-run"]
    assert cli.main(["install-service", *options]) == 0
    assert "WatchdogSec=2" in capsys.readouterr().out
    assert not root.exists()


def test_what_is_refused(
    site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    install_in = ["install-service", "--root", str(tmp_path / "x")]
    assert cli.main(install_in) == 2
    assert "is not there yet; allowed is a station file" in capsys.readouterr().err
    assert cli.main([*install_in, "--station", str(tmp_path / "absent")]) == 2
    monkeypatch.setattr(Station, "check_wiring", lambda _: None)

    def denied(path: Path, text: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(install, "_write", denied)
    assert cli.main([*install_in, "--station", str(site)]) == 3
    assert "Permission denied; install-service needs root" in capsys.readouterr().err
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(sys, "executable", str(closed / "python"))
    capsys.readouterr()
    assert cli.main([*install_in, "--station", str(site)]) == 2
    assert "the service's user cannot reach it" in capsys.readouterr().err


def test_installed_for_good_systemd_is_told(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(install, "_below", lambda root, path: tmp_path / path.name)
    monkeypatch.setattr(subprocess, "run", lambda command, check: told.append(command))
    assert cli.main(["install-service", "--station", str(site)]) == 0
    assert told == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "verified-alloc.service"],
    ]

    def absent(command: list[str], check: bool) -> None:
        raise FileNotFoundError(2, "No such file", command[0])

    monkeypatch.setattr(subprocess, "run", absent)
    assert cli.main(["install-service", "--station", str(site)]) == 3
    assert "systemctl daemon-reload" in capsys.readouterr().err
