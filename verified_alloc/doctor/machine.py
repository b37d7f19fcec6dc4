"""The machine: what config.txt, the kernel, devices, groups and libraries must be."""

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hardware import bus_time, gpio_chip
from hardware.heartbeat import TIMEOUT_S
from verified_alloc import whole_file
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import check_parts, cleared_by, in_order, sentence_of
from verified_alloc.control.wires import least_scan_ms
from verified_alloc.doctor.check import MET, UNMET, UNSEEN, Check, check
from verified_alloc.doctor.config_txt import ConfigTxt
from verified_alloc.errors import BadInput
from verified_alloc.install import UNIT
from verified_alloc.station.model import Station
from verified_alloc.station.parts import in_words


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
    several = len(pins.i2c_buses) > 1
    for id, node in (
        *((f"i2c-{n} device" if several else "i2c device", f"dev/i2c-{n}") for n in pins.i2c_buses),
        ("gpio device", "dev/gpiochip0"),
        *([("watchdog device", pins.watchdog_device.lstrip("/"))] if pins.watchdog_device else []),
    ):
        yield _node(id, root / node)
    yield from _brought_out(station, root)
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
    rate_hz = config.i2c_baudrate()
    on = config.parameter("i2c_arm") in ("on", "yes", "true", "1", "")
    if 1 in pins.i2c_buses:
        yield check(
            "config i2c",
            on and least_scan_ms(station, {1: rate_hz}) <= station.timing.scan_ms,
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
    # BCM2835 ARM Peripherals, table 6-31: the others boot pulled up, or not pulled at all.
    down = {*range(9, 28), *range(30, 34), *range(37, 44)}
    lines = [pin for pin in (*pins.enable_pins, pins.reset_pin) if pin not in down]
    beyond = ", 30 to 33 and 37 to 43" if max(used) > 27 else ""
    yield check(
        "boot pulls",
        not lines,
        "enable lines and reset are on lines that boot pulled down",
        f"{', '.join(f'{used[pin]} (BCM {pin})' for pin in lines)}: boots pulled up; allowed is BCM"
        f" 9 to 27{beyond}",
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


def _brought_out(station: Station, root: Path) -> Iterator[Check]:
    """Lines beyond the 40-pin header's, where the station has some."""
    beyond = [f"BCM {pin} ({use})" for pin, use in _lines(station).items() if pin > 27]
    if not beyond:
        return
    try:
        model = (root / "proc/device-tree/model").read_text().rstrip("\0")
    except OSError:
        yield Check("lines there", UNSEEN, "the kernel does not tell which Raspberry Pi this is")
        return
    yield check(
        "lines there",
        "Compute Module 3" in model,
        f"{model} brings out BCM 28 to 45",
        f"{model} has no {', '.join(beyond)}: a Compute Module 3 has",
    )


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
    hardware, scan_ms = station.hardware, station.timing.scan_ms
    rates_hz: dict[int, int] = {}
    for bus in hardware.i2c_buses:
        rate_hz = bus_time.bit_rate_hz(bus, root)
        if rate_hz is None:
            yield Check("bus speed", UNSEEN, f"the kernel does not tell the speed of I2C bus {bus}")
            return
        rates_hz[bus] = rate_hz
    least_ms = least_scan_ms(station, rates_hz)
    sentence = (
        f"{hardware.buses_name} {'runs' if len(rates_hz) == 1 else 'run'} at"
        f" {in_words(rate // 1000 for rate in rates_hz.values())} kHz: a scan takes {least_ms} ms"
        f" of {scan_ms}"
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
    if not faults.exists() and not whole_file.spare(faults).exists():
        yield Check("latched faults", MET, f"none; {faults} is not there yet")
        return
    try:
        file = FaultFile(faults)
        latched = in_order(file.load())
        check_parts(station, latched)
    except BadInput as error:
        yield Check("latched faults", UNMET, str(error))
        return
    if file.lost:
        yield Check("latched faults", UNMET, file.lost)
        return
    sentences = (f"{sentence_of(station, one)} ({cleared_by(station, one)})" for one in latched)
    yield check("latched faults", not latched, "none", "; ".join(sentences))
