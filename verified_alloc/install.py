"""Installs the service: the station file, its proof record and the unit, then systemd is told."""

import shutil
import subprocess
import sys
from pathlib import Path

from hardware.systemd import unit
from verified_alloc import process
from verified_alloc.control.assembly import check_scan_time
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station
from verified_alloc.station.proof_record import beside, proof_of

STATION = Path("/etc/verified-alloc/station.toml")
UNIT = Path("/etc/systemd/system/verified-alloc.service")


def install(station_file: str | None, root: str, dry_run: bool) -> int:
    """0, or 3 if it may not write there or systemd refuses."""
    installed = _below(root, STATION)
    source = installed if station_file is None else Path(station_file)
    if station_file is None and not installed.exists():
        raise BadInput(f"--station: {installed} is not there yet; allowed is a station file")
    station = Station.from_toml(source)
    station.check_wiring()
    check_scan_time(station)
    python = Path(sys.executable)
    service = station.service
    tokens = [token.file for token in service.tokens]
    secrets = [file for file in (service.token_file, *tokens, service.mqtt_password_file) if file]
    text = unit(python, STATION, _patience_s(station), station.hardware.watchdog_device, secrets)
    if dry_run:
        print(text, end="")
        return 0
    shut = process.shut([python])
    if shut is not None:
        raise BadInput(
            f"{python}: the service's user cannot reach it, others have no access to {shut};"
            " allowed is an interpreter elsewhere, as in /opt/verified-alloc"
        )
    try:
        if source != installed:
            _copy(source, installed)
        _write(_below(root, UNIT), text)
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}; install-service needs root")
    print(f"Proof: {proof_of(station, installed).sentence}.")
    if root != "/":
        print(f"Installed below {root}.")
        return 0
    for command in (["systemctl", "daemon-reload"], ["systemctl", "enable", UNIT.name]):
        try:
            subprocess.run(command, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            return _failed(f"{' '.join(command)}: {error}")
    print(f"Installed and enabled. Check with: {python} -m verified_alloc doctor")
    print("Start with: systemctl start verified-alloc")
    return 0


def _patience_s(station: Station) -> int:
    """As long as taking everything off may take (`Run`), and the program's own time."""
    timing = station.timing
    bounded_ms = 3 * timing.offer_lead_ms + timing.module_off_timeout_ms + timing.current_decay_ms
    return 30 + bounded_ms // 1000


def _below(root: str, path: Path) -> Path:
    return Path(root) / path.relative_to("/")


def _copy(source: Path, installed: Path) -> None:
    """The station file and its proof record; none beside the source, none beside the copy."""
    _write(installed, source.read_text(encoding="utf-8"))
    if beside(source).is_file():
        shutil.copyfile(beside(source), beside(installed))  # as it is: run judges it
        beside(installed).chmod(0o644)
    else:
        beside(installed).unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def _failed(message: str) -> int:
    print(f"verified-alloc: {message}", file=sys.stderr)
    return 3
