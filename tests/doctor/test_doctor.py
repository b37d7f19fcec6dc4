"""A machine that is as it must be passes; each thing that is not is named."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
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


TWO_BUSES = Station.from_tables(
    {
        "station": {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240},
        "hardware": {
            "i2c_bus": [1, 11],
            "output_expanders": [[0x20, 0x21], [0x20, 0x21]],
            "feedback_expanders": [[0x24, 0x25], [0x24, 0x25]],
            "enable_pins": [16, 17, 18, 30, 31, 32, 33, 37, 38],
        },
    }
)


def multiplexed(pi: Path) -> Path:
    """Bus 11 is a channel of a multiplexer on bus 1; the machine is a Compute Module 3."""
    adapter = pi / "sys/devices/i2c@7e804000/i2c-1"
    (adapter / "of_node").mkdir(parents=True)
    (adapter / "of_node/clock-frequency").write_bytes(struct.pack(">I", 400_000))
    (adapter / "i2c-11/of_node").mkdir(parents=True)
    known = pi / "sys/class/i2c-adapter"
    shutil.rmtree(known)
    known.mkdir()
    (known / "i2c-1").symlink_to(adapter)
    (known / "i2c-11").symlink_to(adapter / "i2c-11")
    (pi / "dev/i2c-11").touch()
    model = pi / "proc/device-tree/model"
    model.parent.mkdir(parents=True)
    model.write_text("Raspberry Pi Compute Module 3 Plus Rev 1.0\0")
    return adapter


def test_each_of_two_buses_is_looked_at(pi: Path) -> None:
    adapter = multiplexed(pi)
    assert unmet(pi, station=TWO_BUSES) == []
    told = seen(pi, station=TWO_BUSES)
    assert told["bus speed"].told == (
        "I2C buses 1 and 11 run at 400 and 400 kHz: a scan takes 7 ms of 20"
    )
    assert told["A10"].told == "nobody else holds the lines or I2C buses 1 and 11"
    assert told["A1"].told == "all 8 expanders answer"
    assert told["i2c-1 device"].verdict == told["i2c-11 device"].verdict == MET

    missing = seen(pi, "nack 11:0x21", "nack 1:0x24", station=TWO_BUSES)["A1"].told
    assert missing == "expanders that do not answer: 1:0x24, 11:0x21"
    (pi / "dev/i2c-11").unlink()
    (pi / "sys/bus/i2c/devices/11-0021/driver").mkdir(parents=True)
    (adapter / "i2c-11/of_node/clock-frequency").write_bytes(struct.pack(">I", 50_000))
    assert unmet(pi, station=TWO_BUSES) == ["bus speed", "i2c-11 device", "A10"]
    told = seen(pi, station=TWO_BUSES)
    assert "run at 400 and 50 kHz: a scan takes 26 ms of 20" in told["bus speed"].told
    assert told["A10"].told == "others on I2C buses 1 and 11: kernel driver driver on 11-0021"
    (pi / "sys/class/i2c-adapter/i2c-11").unlink()
    told = seen(pi, station=TWO_BUSES)
    assert told["bus speed"] == Check(
        "bus speed", UNSEEN, "the kernel does not tell the speed of I2C bus 11"
    )


def test_lines_that_only_a_compute_module_brings_out(pi: Path) -> None:
    multiplexed(pi)
    assert "lines there" not in seen(pi)
    assert seen(pi, station=TWO_BUSES)["lines there"].verdict == MET
    model = pi / "proc/device-tree/model"
    model.write_text("Raspberry Pi 4 Model B Rev 1.1\0")
    assert unmet(pi, station=TWO_BUSES) == ["lines there"]
    assert seen(pi, station=TWO_BUSES)["lines there"].told == (
        "Raspberry Pi 4 Model B Rev 1.1 has no BCM 30 (enable of module 4), BCM 31 (enable of"
        " module 5), BCM 32 (enable of module 6), BCM 33 (enable of module 7), BCM 37 (enable of"
        " module 8), BCM 38 (enable of module 9): a Compute Module 3 has"
    )
    model.unlink()
    assert seen(pi, station=TWO_BUSES)["lines there"].verdict == UNSEEN


@pytest.mark.parametrize("pin", [28, 29, 34, 36, 44, 45])
def test_lines_beyond_the_header_that_do_not_boot_pulled_down(pi: Path, pin: int) -> None:
    multiplexed(pi)
    pins = (*TWO_BUSES.hardware.enable_pins[:8], pin)
    station = replace(TWO_BUSES, hardware=replace(TWO_BUSES.hardware, enable_pins=pins))
    assert unmet(pi, station=station) == ["boot pulls"]
    assert seen(pi, station=station)["boot pulls"].told == (
        f"enable of module 9 (BCM {pin}): boots pulled up; allowed is BCM 9 to 27, 30 to 33 and 37"
        " to 43"
    )


@pytest.mark.parametrize(
    ("overlay", "lines"),
    [
        ("i2c3,baudrate=400000", {4, 5}),
        ("i2c4,pins_6_7", {6, 7}),
        ("i2c-gpio,bus=3", {23, 24}),
        ("i2c-gpio,i2c_gpio_sda=14,i2c_gpio_scl=15,bus=3", set()),
        ("i2c-gpio,i2c_gpio_sda=12", {12, 24}),
        ("i2c6,pins_0_1", set()),
    ],
)
def test_a_second_bus_that_takes_lines_of_the_station(
    pi: Path, overlay: str, lines: set[int]
) -> None:
    edit(CONFIG_TXT, lambda text: f"{text}dtoverlay={overlay}\n")(pi)
    told = seen(pi)["config lines"].told
    assert {int(pin) for pin in re.findall(r"BCM (\d+)", told)} == lines


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
