"""Who hears that scans are verified: a socket as systemd's, a file in place of /dev/watchdog."""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def test_systemd_hears_ready_then_four_beats_a_period_then_stopping(
    systemd: socket.socket, at_s: list[float]
) -> None:
    manager = ServiceManager()
    manager.close()
    assert heard(systemd) == []
    manager.beat()
    assert heard(systemd) == ["READY=1", "STATUS=scanning", "WATCHDOG=1"]
    for _ in range(3):
        for beats in ([], ["WATCHDOG=1"]):
            at_s[0] += 0.25
            manager.beat()
            assert heard(systemd) == beats
    manager.close()
    manager.close()
    assert heard(systemd) == ["STOPPING=1"]


@pytest.mark.parametrize("period_us", ["", "soon"])
def test_a_service_without_a_watchdog_says_once_that_it_is_ready(
    systemd: socket.socket, at_s: list[float], monkeypatch: pytest.MonkeyPatch, period_us: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", period_us)
    manager = ServiceManager()
    for _ in range(3):
        manager.beat()
        at_s[0] += 100
    assert heard(systemd) == ["READY=1", "STATUS=scanning", "WATCHDOG=1"]
    monkeypatch.delenv("WATCHDOG_USEC")
    ServiceManager().beat()
    assert len(heard(systemd)) == 3


def test_an_abstract_socket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"verified-alloc test {os.getpid()}"  # seen by all that run on this machine
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        ServiceManager().beat()
        listener.settimeout(5)
        assert listener.recv(100).startswith(b"READY=1")


def test_an_address_is_abstract_only_where_it_begins_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "notify@host")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        ServiceManager().beat()
        assert heard(listener)[0] == "READY=1"


def test_a_full_or_absent_socket_stops_nobody(
    systemd: socket.socket, at_s: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NeverWaits(socket.socket):
        def sendto(self, *args: Any) -> int:
            assert self.gettimeout() == 0
            return super().sendto(*args)

    monkeypatch.setattr(socket, "socket", NeverWaits)
    manager = ServiceManager()
    for _ in range(1000):  # more than a socket holds
        at_s[0] += 1
        manager.beat()
    assert len(heard(systemd)) < 1000
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


def test_the_timer_is_given_two_seconds_before_it_is_first_petted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "watchdog"
    device.touch()
    asked: list[tuple[int, bytes, bytes]] = []

    def ioctl(file: int, request: int, argument: bytes) -> None:
        asked.append((request, argument, device.read_bytes()))

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    timer = WatchdogTimer(str(device))
    timer.beat()
    timer.beat()
    assert asked == [(0xC0045706, (2).to_bytes(4, sys.byteorder), b"")]
    timer.close()
    timer.beat()  # armed again, and told again
    assert len(asked) == 2


def test_a_timer_that_takes_no_more_is_a_lost_device_and_let_go_of_all_the_same() -> None:
    timer = WatchdogTimer("/dev/full")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(DeviceLost, match=r"^watchdog /dev/full: No space left"):
        timer.beat()
    timer.close()
    assert os.listdir("/proc/self/fd") == before


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
    supervision.pet(False)
    assert (heard(systemd), device.read_bytes()) == ([], b"")
    with monkeypatch.context() as patched:
        patched.setattr(Device.pin_factory.pin(REFERENCE.watchdog_pin), "_set_state", None)
        with pytest.raises(DeviceLost):
            supervision.pet(True)
    assert (heard(systemd), device.read_bytes()) == ([], b"")
    supervision.beat(True)
    assert (len(heard(systemd)), device.read_bytes()) == (3, b"\0")
    supervision.close()
    assert (heard(systemd), device.read_bytes()) == (["STOPPING=1"], b"\0V")
