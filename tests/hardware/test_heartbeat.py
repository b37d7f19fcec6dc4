"""Who hears that scans are verified: a socket as systemd's, a file in place of /dev/watchdog."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from layouts import REFERENCE

from hardware import DeviceLost, clock
from hardware.heartbeat import ServiceManager, WatchdogTimer
from hardware.supervision import Supervision


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of the notification socket; its watchdog wants to hear every 2 s."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        yield listener


def heard(listener: socket.socket) -> list[str]:
    told = []
    while True:
        try:
            told += listener.recv(4096).decode().splitlines()
        except BlockingIOError:
            return told


@pytest.fixture
def at_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in its only entry."""
    now = [100.0]
    monkeypatch.setattr(clock, "now_s", lambda: now[0])
    return now


def test_systemd_hears_ready_then_a_few_beats_a_period_then_stopping(
    systemd: socket.socket, at_s: list[float]
) -> None:
    manager = ServiceManager()
    assert heard(systemd) == []
    manager.beat()
    assert heard(systemd) == ["READY=1", "STATUS=scanning", "WATCHDOG=1"]
    for _ in range(100):
        at_s[0] += 0.02
        manager.beat()
    told = heard(systemd)
    assert set(told) == {"WATCHDOG=1"}
    assert 3 <= len(told) <= 4
    manager.close()
    assert heard(systemd) == ["STOPPING=1"]


def test_an_abstract_socket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0verified-alloc test")
        monkeypatch.setenv("NOTIFY_SOCKET", "@verified-alloc test")
        ServiceManager().beat()
        listener.settimeout(5)
        assert listener.recv(100).startswith(b"READY=1")


def test_a_full_or_absent_socket_stops_nobody(
    systemd: socket.socket, at_s: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = ServiceManager()
    for _ in range(5000):
        at_s[0] += 1
        manager.beat()
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    ServiceManager().beat()
    monkeypatch.delenv("NOTIFY_SOCKET")
    ServiceManager().beat()


def test_the_timer_is_armed_by_the_first_beat_and_disarmed_at_the_end(tmp_path: Path) -> None:
    device = tmp_path / "watchdog"
    device.touch()
    timer = WatchdogTimer(str(device))
    timer.close()
    assert device.read_bytes() == b""
    timer.beat()
    timer.beat()
    assert device.read_bytes() == b"\0\0"
    timer.close()
    timer.close()
    assert device.read_bytes() == b"\0\0V"


def test_a_timer_that_is_not_there_is_a_lost_device(tmp_path: Path) -> None:
    with pytest.raises(DeviceLost, match=r"^watchdog .*absent: No such file"):
        WatchdogTimer(str(tmp_path / "absent")).beat()


def test_a_beat_reaches_the_timer_and_systemd_and_an_edge_does_not(
    systemd: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "pin_factory", MockFactory())
    device = tmp_path / "watchdog"
    device.touch()
    supervision = Supervision(replace(REFERENCE, watchdog_device=str(device)))
    supervision.reset(False)
    supervision.pet(True)
    supervision.beat(False)
    assert supervision.stopped
    assert (heard(systemd), device.read_bytes()) == ([], b"")
    supervision.beat(True)
    assert (len(heard(systemd)), device.read_bytes()) == (3, b"\0")
    supervision.close()
    assert (heard(systemd), device.read_bytes()) == (["STOPPING=1"], b"\0V")
