"""The machine: what config.txt, the kernel, devices, groups and libraries must be."""

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hardware import bus_time, gpio_chip
from hardware.heartbeat import TIMEOUT_S
from verified_alloc.control.fault_kinds import check_parts, cleared_by, in_order, sentence_of
from verified_alloc.control.fault_latch import FaultLatch
from verified_alloc.doctor.check import MET, UNMET, UNSEEN, Check, check
from verified_alloc.doctor.config_txt import ConfigTxt
from verified_alloc.errors import BadInput
from verified_alloc.install import UNIT
from verified_alloc.kernel import wiring
from verified_alloc.station.model import Station


def machine(station: Station, faults: Path, root: Path) -> Iterator[Check]:
    """Everything but the wires."""
    pins = station.hardware
    config = ConfigTxt.read(root)
    if config is None:
        yield Check("config.txt", UNMET, "there is no config.txt: this is no Raspberry Pi")
    else:
        yield from _config(station, config)
    yield _pin_persistence(config, root)
    yield from _bus_speed(station, root)
    for id, node in (
        ("i2c device", f"dev/i2c-{pins.i2c_bus}"),
        ("gpio device", "dev/gpiochip0"),
        *([("watchdog device", pins.watchdog_device.lstrip("/"))] if pins.watchdog_device else []),
    ):
        yield _node(id, root / node)
    yield _taken(station, root)
    yield _groups(root)
    if pins.watchdog_device:
        yield from _watchdog(Path(pins.watchdog_device).name, root)
    yield _governor(root)
    yield _lgpio()
    yield _gpiozero()
    factory = os.environ.get("GPIOZERO_PIN_FACTORY", "lgpio")
    yield check(
        "pin factory",
        factory == "lgpio",
        "GPIOZERO_PIN_FACTORY is lgpio, or not set",
        f"GPIOZERO_PIN_FACTORY is {factory}: set it to lgpio, or not at all",
    )
    yield check(
        "service",
        (root / UNIT.relative_to("/")).exists(),
        f"{UNIT} is installed",
        f"{UNIT} is not there: verified-alloc install-service",
    )
    yield from _latched(faults, station)


def _config(station: Station, config: ConfigTxt) -> Iterator[Check]:
    pins = station.hardware
    needed_ms = station.timing.scan_ms
    rate_hz = config.i2c_baudrate()
    positions = wiring.expanders(len(station.contactors))
    on = config.parameter("i2c_arm") in ("on", "yes", "true", "1", "")
    yield check(
        "config i2c",
        on and bus_time.least_scan_ms(positions, rate_hz) <= needed_ms,
        f"config.txt has I2C on at {rate_hz // 1000} kHz",
        f"config.txt has I2C {'on' if on else 'off'} at {rate_hz // 1000} kHz:"
        f" dtparam=i2c_arm=on,i2c_arm_baudrate=400000",
    )
    used = _lines(station)
    taken = [
        f"BCM {pin} ({used[pin]}) by {owner}"
        for owner, lines in config.claimed_lines().items()
        for pin in lines
        if pin in used
    ]
    yield check(
        "config lines",
        not taken,
        "config.txt gives none of the station's lines to anything else",
        f"config.txt gives away {', '.join(taken)}",
    )
    # BCM2835 ARM Peripherals, table 6-31: GPIO 0-8 boot pulled up, 9-27 down.
    up = [f"{used[pin]} (BCM {pin})" for pin in (*pins.enable_pins, pins.reset_pin) if pin <= 8]
    yield check(
        "boot pulls",
        not up,
        "enable lines and reset are on lines that boot pulled down",
        f"{', '.join(up)}: boots pulled up; allowed is BCM 9 to 27",
    )


def _lines(station: Station) -> dict[int, str]:
    """What each line (BCM) of the station is for."""
    pins = station.hardware
    return {
        **{pin: f"enable of module {n}" for n, pin in enumerate(pins.enable_pins, 1)},
        **{pin: f"status of module {n}" for n, pin in enumerate(pins.status_pins, 1)},
        pins.reset_pin: "expander reset",
        pins.watchdog_pin: "watchdog",
        pins.estop_pin: "emergency stop",
    }


def _taken(station: Station, root: Path) -> Check:
    """Whatever took them, an overlay, a driver or a process: the kernel knows."""
    used = _lines(station)
    try:
        taken = gpio_chip.users(root / "dev/gpiochip0", used)
    except OSError:
        return Check("lines taken", UNSEEN, "the kernel does not tell who uses the lines")
    others = [f"BCM {pin} ({used[pin]}) by {user}" for pin, user in taken.items()]
    return check(
        "lines taken",
        not others,
        "nobody uses the station's lines",
        f"in use: {', '.join(others)}; an overlay in config.txt, or a station that runs?",
    )


def _pin_persistence(config: ConfigTxt | None, root: Path) -> Check:
    """On a Pi's kernel an output keeps its level when nobody holds it, unless told otherwise."""
    parameters = list((root / "sys/module").glob("pinctrl_*/parameters/persist_gpio_outputs"))
    strict = config is not None and config.parameter("strict_gpiod") not in (None, "off", "no", "0")
    with suppress(OSError):
        strict = strict or any(p.read_text().strip() in ("N", "n", "0") for p in parameters)
        strict = strict or "persist_gpio_outputs=n" in (root / "proc/cmdline").read_text().lower()
    return check(
        "lines let go",
        strict,
        "a line that nobody holds becomes an input: its pull-down switches off",
        "a line keeps its level when its process dies: dtparam=strict_gpiod in config.txt",
    )


def _bus_speed(station: Station, root: Path) -> Iterator[Check]:
    bus, scan_ms = station.hardware.i2c_bus, station.timing.scan_ms
    rate_hz = bus_time.bit_rate_hz(bus, root)
    if rate_hz is None:
        yield Check("bus speed", UNSEEN, f"the kernel does not tell the speed of I2C bus {bus}")
        return
    least_ms = bus_time.least_scan_ms(wiring.expanders(len(station.contactors)), rate_hz)
    sentence = (
        f"I2C bus {bus} runs at {rate_hz // 1000} kHz: a scan takes {least_ms} ms of {scan_ms}"
    )
    yield check("bus speed", least_ms <= scan_ms, sentence, sentence)


def _node(id: str, node: Path) -> Check:
    name = f"/{node.name}" if node.parent.name != "dev" else f"/dev/{node.name}"
    if not node.exists():
        return Check(id, UNMET, f"{name} is not there")
    return check(
        id,
        os.access(node, os.R_OK | os.W_OK),
        f"{name} can be used",
        f"{name} belongs to group {_group(node)}, and this user does not",
    )


def _groups(root: Path) -> Check:
    """Those that the service's user is put into."""
    present: set[str] = set()
    with suppress(OSError):
        present = {line.partition(":")[0] for line in (root / "etc/group").read_text().splitlines()}
    missing = " and ".join(sorted({"gpio", "i2c"} - present))
    return check(
        "groups",
        not missing,
        "groups gpio and i2c exist",
        f"group {missing} does not exist: the service's user could not be put into it",
    )


def _group(node: Path) -> str:
    try:
        return node.group()
    except (KeyError, OSError):
        return "unknown"


def _watchdog(device: str, root: Path) -> Iterator[Check]:
    name = device if device != "watchdog" else "watchdog0"
    folder = root / f"sys/class/watchdog/{name}"
    try:
        fixed = (folder / "nowayout").read_text().strip() == "1"
        active = (folder / "state").read_text().strip() == "active"
    except OSError:
        yield Check("watchdog end", UNSEEN, f"whether {name} can be disarmed is not told")
        return
    yield check(
        "watchdog free",
        not active,
        f"nobody else pets {name}",
        f"{name} is armed already: RuntimeWatchdogSec of systemd, or a station that runs?",
    )
    yield check(
        "watchdog end",
        not fixed,
        f"{name} is disarmed when the station ends",
        f"{name} cannot be disarmed: the Pi restarts {TIMEOUT_S} s after the station has ended",
    )


def _governor(root: Path) -> Check:
    try:
        governor = (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text()
    except OSError:
        return Check("cpu governor", UNSEEN, "the kernel does not tell how it sets the CPU's clock")
    return check(
        "cpu governor",
        governor.strip() != "powersave",
        f"the CPU's clock rises with the load ({governor.strip()})",
        "the CPU stays at its lowest clock (powersave): a scan takes 2.5 times as long",
    )


def _gpiozero() -> Check:
    version = importlib.metadata.version("gpiozero")
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    return check(
        "gpiozero",
        numbers >= (2, 0, 1),
        f"gpiozero {version}",
        f"gpiozero {version}: allowed is 2.0.1 or later",
    )


def _lgpio() -> Check:
    if importlib.util.find_spec("lgpio") is None:
        return Check("lgpio", UNMET, "lgpio is missing: pip install 'verified-alloc[pi]'")
    version = "of the system"
    with suppress(importlib.metadata.PackageNotFoundError):
        version = importlib.metadata.version("lgpio")
    return check(
        "lgpio",
        not version.startswith("0.0."),
        f"lgpio {version}",
        f"lgpio {version} is an empty stub: apt install python3-lgpio",
    )


def _latched(faults: Path, station: Station) -> Iterator[Check]:
    if not faults.exists():
        yield Check("latched faults", MET, f"none; {faults} is not there yet")
        return
    try:
        latched = in_order(FaultLatch(faults).load())
        check_parts(station, latched)
    except BadInput as error:
        yield Check("latched faults", UNMET, str(error))
        return
    sentences = (f"{sentence_of(station, one)} ({cleared_by(station, one)})" for one in latched)
    yield check("latched faults", not latched, "none", "; ".join(sentences))
