"""A machine that is as it must be passes; each thing that is not is named."""

import importlib.metadata
import importlib.util
import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from proof_records import PROVED, write_record

from hardware import gpio_chip
from hardware.simulated.faults import parse
from proofs import plant
from verified_alloc import Station, cli
from verified_alloc.control.assembly import simulated_charger
from verified_alloc.doctor import MET, UNMET, UNSEEN, Check, examine
from verified_alloc.station.proof_record import beside

STATION = Station.reference()
CONFIG = """# as Raspberry Pi OS has it, and what the README asks for
dtparam=audio=on
[all]
dtparam=strict_gpiod
dtparam=i2c_arm=on,i2c_arm_baudrate=400000
"""
VERSIONS = {"lgpio": "0.2.2.0", "gpiozero": "2.0.1"}


@pytest.fixture
def pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a Raspberry Pi that is as it must be."""
    for path, text in (
        ("boot/firmware/config.txt", CONFIG),
        ("etc/systemd/system/verified-alloc.service", ""),
        ("dev/i2c-1", ""),
        ("dev/gpiochip0", ""),
        ("proc/cmdline", "console=tty1"),
        ("etc/group", "root:x:0:\ngpio:x:986:\ni2c:x:998:\n"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    rate = tmp_path / "sys/class/i2c-adapter/i2c-1/of_node/clock-frequency"
    rate.parent.mkdir(parents=True)
    rate.write_bytes(struct.pack(">I", 400_000))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib.metadata, "version", lambda name: VERSIONS.get(name, "1"))
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    return tmp_path


def seen(pi: Path, *faults: str, station: Station = STATION) -> dict[str, Check]:
    """What is told of a simulated cabinet at that Pi."""
    charger = simulated_charger(station)
    with charger.installed():
        for fault in faults:
            charger.inject(parse(fault))
        checks = examine(station, pi / "commission.json", pi / "faults.json", pi)
    assert not charger.monitor.makes
    assert not any(unit.enabled for unit in charger.cabinet.modules)
    found = {check.id: check for check in checks}
    assert len(found) == len(checks)
    return found


def unmet(pi: Path, *faults: str, station: Station = STATION) -> list[str]:
    found = seen(pi, *faults, station=station)
    # Simulated lines are moved by no kernel, which is seen.
    assert "CabinetPins" in found.pop("A12").told
    return [id for id, check in found.items() if check.verdict == UNMET]


def test_a_pi_that_is_as_it_must_be(pi: Path) -> None:
    assert unmet(pi) == []


def test_whether_it_was_proved(pi: Path) -> None:
    """A station that asks for a record is not met without; any other only says so."""
    site = pi / "site.toml"

    def told(station: Station) -> Check:
        checks = examine(station, pi / "none", pi / "faults.json", pi, str(site))
        return next(check for check in checks if check.id == "proof")

    limited = replace(STATION, site_limit_w=300_000)
    write_record(beside(site), STATION)
    assert told(STATION) == Check("proof", MET, PROVED)
    assert told(limited) == Check("proof", UNSEEN, "proved for another station")
    assert told(replace(limited, require_proof=True)).verdict == UNMET


def test_every_assumption_of_the_proofs_has_its_line(pi: Path) -> None:
    told = seen(pi)
    assert {assumption.id for assumption in plant.ASSUMPTIONS} <= told.keys()


def edit(path: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda pi: (pi / path).write_text(change((pi / path).read_text())) and None


CONFIG_TXT = "boot/firmware/config.txt"
BROKEN: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "no config.txt": (
        lambda pi: (pi / CONFIG_TXT).unlink(),
        ["config.txt", "lines let go"],
        "no Raspberry Pi",
    ),
    "lines keep their level": (
        edit(CONFIG_TXT, lambda text: text.replace("dtparam=strict_gpiod", "")),
        ["lines let go"],
        "dtparam=strict_gpiod",
    ),
    "I2C off": (
        edit(CONFIG_TXT, lambda text: text.replace("i2c_arm=on", "i2c_arm=off")),
        ["config i2c"],
        "I2C off",
    ),
    "I2C slow": (
        edit(CONFIG_TXT, lambda text: text.replace(",i2c_arm_baudrate=400000", "")),
        ["config i2c"],
        "on at 100 kHz: dtparam=i2c_arm=on,i2c_arm_baudrate=400000",
    ),
    "SPI on": (
        edit(CONFIG_TXT, lambda text: text + "dtparam=spi=on\n"),
        ["config lines"],
        "BCM 7 (status of module 4) by dtparam=spi",
    ),
    "1-Wire on a line": (
        edit(CONFIG_TXT, lambda text: text + "dtoverlay=w1-gpio,gpiopin=27 # thermometer\n"),
        ["config lines"],
        "BCM 27 (emergency stop) by dtoverlay=w1-gpio",
    ),
    "bus slow": (
        lambda pi: (pi / "sys/class/i2c-adapter/i2c-1/of_node/clock-frequency").write_bytes(
            struct.pack(">I", 100_000)
        ),
        ["bus speed"],
        "at 100 kHz: a scan takes 22 ms of 20",
    ),
    "no I2C device": (
        lambda pi: (pi / "dev/i2c-1").unlink(),
        ["i2c device"],
        "/dev/i2c-1 is not there",
    ),
    "no group i2c": (
        edit("etc/group", lambda text: text.replace("i2c", "i3c")),
        ["groups"],
        "group i2c does not exist",
    ),
    "no service": (
        lambda pi: (pi / "etc/systemd/system/verified-alloc.service").unlink(),
        ["service"],
        "verified-alloc install-service",
    ),
    "a latched fault": (
        lambda pi: (pi / "faults.json").write_text(
            '{"welded": [[2, 5]], "failed_open": [], "dead": [], "stuck_on": [], "expanders": [],'
            ' "emergency_stop": false}'
        ),
        ["latched faults"],
        "contactor 2:5 is welded (repair it; once it follows its command: `verified-alloc clear"
        " contactor-2:5`)",
    ),
    "a fault of a part that is not there": (
        lambda pi: (pi / "faults.json").write_text(
            '{"version": 2, "faults": [{"kind": "dead", "module": 10}]}'
        ),
        ["latched faults"],
        "latched fault 'dead': station 'reference' has no module 10; give it its own fault file",
    ),
    "a damaged fault file": (
        lambda pi: (pi / "faults.json").write_text("{"),
        ["latched faults"],
        "cannot be read",
    ),
    "a kernel driver on a chip": (
        lambda pi: (pi / "sys/bus/i2c/devices/1-0020/driver").mkdir(parents=True),
        ["A10"],
        "others on I2C bus 1: kernel driver",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_not_is_named(pi: Path, broken: str) -> None:
    break_it, ids, told = BROKEN[broken]
    break_it(pi)
    assert unmet(pi) == ids
    assert any(told in seen(pi)[id].told for id in ids)


@pytest.mark.parametrize("told", ["N\n", "0"])
def test_the_running_kernel_counts_as_well_as_config_txt(pi: Path, told: str) -> None:
    (pi / CONFIG_TXT).write_text("dtparam=i2c_arm=on,i2c_arm_baudrate=400000\n")
    assert unmet(pi) == ["lines let go"]
    parameter = pi / "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
    parameter.parent.mkdir(parents=True)
    parameter.write_text("Y\n")
    assert unmet(pi) == ["lines let go"]
    parameter.write_text(told)
    assert unmet(pi) == []


@pytest.mark.parametrize(
    ("fault", "id", "told"),
    [
        ("nack 0x21", "A1", "do not answer: 0x21"),
        ("module-stuck-on 3", "A8", "report on while their enable is low: 3"),
        ("estop", "emergency stop", "pressed"),
    ],
)
def test_what_the_wires_show(pi: Path, fault: str, id: str, told: str) -> None:
    # A module's status rises 3 ms after it starts.
    assert unmet(pi, *([] if "stuck" in fault else [fault])) == ([] if "stuck" in fault else [id])
    charger = simulated_charger(STATION)
    with charger.installed():
        charger.inject(parse(fault))
        charger.time.sleep_s(0.1)
        checks = examine(STATION, pi / "none", pi / "faults.json", pi)
    (check,) = [check for check in checks if check.id == id]
    assert check.verdict == UNMET
    assert told in check.told


def test_an_enable_line_without_pull_down(pi: Path) -> None:
    charger = simulated_charger(STATION)
    with charger.installed():
        charger.pins.pin(STATION.hardware.enable_pins[3])._state = True
        checks = {c.id: c for c in examine(STATION, pi / "none", pi / "faults.json", pi)}
    assert checks["A2"].verdict == UNMET
    assert checks["A2"].told.endswith("modules 4")


def test_lines_that_another_holds_are_unseen(pi: Path) -> None:
    from hardware.modules import claim_output, release

    charger = simulated_charger(STATION)
    with charger.installed():
        held = claim_output("enable", STATION.hardware.enable_pins[0])
        checks = {c.id: c for c in examine(STATION, pi / "none", pi / "faults.json", pi)}
        release([held])
    for id in ("A1", "A2", "A8", "A10", "A12", "emergency stop"):
        assert checks[id].verdict == UNSEEN
        assert "enable line of module 1 (BCM 16)" in checks[id].told


def test_another_process_on_the_bus(pi: Path) -> None:
    descriptors = pi / "proc/4711/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "3").symlink_to("/dev/i2c-1")
    (descriptors / "4").symlink_to("/dev/null")
    ours = pi / f"proc/{os.getpid()}/fd"
    ours.mkdir(parents=True)
    (ours / "3").symlink_to("/dev/i2c-1")
    assert unmet(pi) == ["A10"]
    assert seen(pi)["A10"].told == "others on I2C bus 1: process 4711"


def test_boot_pulls_and_watchdog(pi: Path) -> None:
    station = Station.from_tables(
        {
            "station": {"guns": 2, "modules": 2, "module_power_kw": 40, "gun_max_power_kw": 80},
            "hardware": {
                "enable_pins": [5, 20],
                "status_pins": [],
                "watchdog_device": "/dev/watchdog",
            },
        }
    )
    assert unmet(pi, station=station) == ["boot pulls", "watchdog device"]
    (pi / "dev/watchdog").touch()
    folder = pi / "sys/class/watchdog/watchdog0"
    folder.mkdir(parents=True)
    for state, nowayout, red in (
        ("inactive", 1, ["watchdog end"]),
        ("active", 0, ["watchdog free"]),
        ("inactive", 0, []),
    ):
        (folder / "state").write_text(f"{state}\n")
        (folder / "nowayout").write_text(f"{nowayout}\n")
        assert unmet(pi, station=station) == ["boot pulls", *red]


def test_who_uses_a_line_is_told_by_the_kernel(pi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overlays that take lines of the default wiring: gpio-poweroff, mcp2515."""
    assert seen(pi)["lines taken"].verdict == UNSEEN
    users = {26: b"gpio-poweroff", 25: b""}

    def line_info(file: object, request: int, info: bytearray) -> None:
        assert request == 0xC100B405
        (line,) = struct.unpack_from("=I", info, 64)
        if line in users:
            struct.pack_into("=32s", info, 32, users[line])
        struct.pack_into("=Q", info, 72, line in users)

    monkeypatch.setattr(gpio_chip.fcntl, "ioctl", line_info)
    assert unmet(pi) == ["lines taken"]
    told = seen(pi)["lines taken"].told
    assert "BCM 26 (watchdog) by gpio-poweroff" in told
    assert "BCM 25 (expander reset) by the kernel" in told
    users.clear()
    assert seen(pi)["lines taken"].verdict == MET


def test_a_cpu_at_its_lowest_clock_and_a_gpiozero_that_is_too_old(
    pi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    governor = pi / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    governor.parent.mkdir(parents=True)
    for name, red in (("ondemand", []), ("powersave", ["cpu governor"])):
        governor.write_text(f"{name}\n")
        assert unmet(pi) == red
    governor.unlink()
    for version, red in (("2.0", ["gpiozero"]), ("1.6.2", ["gpiozero"]), ("2.1.0", [])):
        monkeypatch.setitem(VERSIONS, "gpiozero", version)
        assert unmet(pi) == red


def test_the_walks_times_against_the_station_file(
    pi: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pi)
    assert seen(pi)["A5"].verdict == UNSEEN
    assert cli.main(["commission"]) == 0
    told = seen(pi)
    assert [told[id].verdict for id in ("A3", "A5", "A7")] == [MET] * 3
    walk = json.loads((pi / "commission.json").read_text())
    walk["contactors"][7]["operate_ms"] = [55.0]
    walk["contactors"][7]["verdict"] = "slow"
    (pi / "commission.json").write_text(json.dumps(walk))
    assert unmet(pi) == ["A3", "A7"]
    assert "slowest of the walk took 55.0" in seen(pi)["A7"].told
    (pi / "commission.json").write_text("[]")
    assert seen(pi)["A3"].verdict == UNSEEN


@pytest.mark.parametrize("factory", ["pigpio", "mock"])
def test_another_pin_factory(pi: Path, monkeypatch: pytest.MonkeyPatch, factory: str) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", factory)
    assert unmet(pi) == ["pin factory"]


def test_the_stub_of_lgpio(pi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VERSIONS, "lgpio", "0.0.0.2")
    assert unmet(pi) == ["lgpio"]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever this runs, something is unmet or nothing; both forms say the same."""
    code = cli.main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if told["ok"] else 1)
    assert told["ok"] == all(check["verdict"] != UNMET for check in told["checks"])
    assert cli.main(["doctor"]) == code
    printed = capsys.readouterr().out
    assert all(check["id"] in printed for check in told["checks"])
