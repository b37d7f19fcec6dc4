"""The option `--limits`: a file that says what all guns together may draw over time."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from verified_alloc.commands.limit import placed
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.model import Station
from verified_alloc.workload.csv_rows import (
    CsvFile,
    ceiling_of_thousandths,
    csv_file,
    cut,
    number,
    rows,
)

if TYPE_CHECKING:
    from verified_alloc.compare.limit_schedule import LimitSchedule
    from verified_alloc.decide.limits.profile import Profile

COLUMNS = "time,limit_kw"
COLUMNS_OF_DEMANDS = "time_s,limit_kw"
TIME = "2022-04-12 19:27:00, or with its offset, 2022-04-12T19:27:00+02:00"


def schedule_of(
    path: str | None,
    zone: str | None,
    station: Station,
    starts_ms: int | None,
    journal_unix_ms: int | None = None,
) -> "LimitSchedule":
    """The limits in a file, for that station. The replay starts at `starts_ms` on the clock of its
    sessions, or counts from a journal's start; None: it has no date. `BadInput` names the file, the
    line or the key, the value and what is allowed."""
    from verified_alloc.compare.limit_schedule import UNLIMITED, LimitSchedule
    from verified_alloc.decide.limits.store import Limits

    if path is None:
        if zone is not None:
            raise BadInput(f"--zone {shown(zone)}: allowed only with --limits")
        return UNLIMITED
    name, limits = _zone(zone), Limits(len(station.guns))
    schedule = LimitSchedule(limits, name)
    if journal_unix_ms is not None:
        schedule = LimitSchedule(limits, "UTC", journal_unix_ms)
    file = csv_file(path, "a limit schedule", "allowed: a readable file, CSV or JSON")
    with file.opened() as data:
        is_json = data.read(256).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    if is_json:
        told_s = int(schedule.unix_s(starts_ms or 0))
        for profile in _told(file, station, told_s):
            limits = limits.told(profile, told_s)
        return schedule._replace(limits=limits)
    local = UTC if journal_unix_ms is None else ZoneInfo(name)
    steps = list(_steps(file, starts_ms is not None, local))
    if not steps[0].has_offset:  # it has been read as the replay counts, or by its zone
        schedule = schedule._replace(zone="UTC")
    return schedule._replace(limits=Limits(len(station.guns), (_profile(steps),)))


def _zone(name: str | None) -> str:
    from verified_alloc.service.zone import zone

    if name is None:
        return zone()
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        raise BadInput(
            f"--zone {shown(name)}: allowed is a time zone by its name, as Europe/Berlin"
        ) from None


class _Step(NamedTuple):
    at_s: int
    limit_w: int
    has_offset: bool = False


def _profile(steps: list[_Step]) -> "Profile":
    from verified_alloc.decide.limits.profile import always

    first_s = steps[0].at_s
    return always(0)._replace(
        start_s=first_s,
        starts_s=tuple(step.at_s - first_s for step in steps),
        limits_w=tuple(step.limit_w for step in steps),
    )


def _steps(file: CsvFile, dated: bool, local: tzinfo) -> Iterator[_Step]:
    """The rows of a CSV file."""
    from verified_alloc.compare.limit_schedule import NO_LIMIT_W

    columns = COLUMNS if dated else COLUMNS_OF_DEMANDS
    records = rows(file, columns)
    line, header = next(records, (1, [""]))
    if header != columns.split(","):
        why = "" if dated else ": a demand trace has no date"
        raise BadInput(
            f"{file.name}, line {line}: the header is {cut(','.join(header))}; allowed: {columns}"
            f"{why}"
        )
    last: _Step | None = None
    for line, fields in records:
        if len(fields) != 2:
            raise BadInput(
                f"{file.name}, line {line}: {len(fields)} columns; allowed: 2, {columns}"
            )
        time_text, limit_text = fields
        place = f"{file.name}, line {line}, {header[0]}"
        step = _dated(time_text, place, local) if dated else _Step(_second(time_text, place), 0)
        if last is not None and step.has_offset != last.has_offset:
            raise BadInput(
                f"{place}: {cut(time_text)}; allowed: an offset in every row, or in none"
            )
        if last is not None and step.at_s <= last.at_s:
            raise BadInput(f"{place}: {cut(time_text)}; allowed: later than in the row above")
        limit_w = NO_LIMIT_W
        if limit_text:
            limit_kw = number(limit_text, f"{file.name}, line {line}, limit_kw", "in kW, or none")
            limit_w = min(-ceiling_of_thousandths(limit_kw.copy_negate()), NO_LIMIT_W)
        last = step._replace(limit_w=limit_w)
        yield last
    if last is None:
        raise BadInput(
            f"{file.name}: no row after the header; allowed: at least one row of {columns}"
        )


def _second(text: str, place: str) -> int:
    at_s = number(text, place, "in seconds")
    if at_s != int(at_s):
        raise BadInput(f"{place}: {cut(text)}; allowed: whole seconds")
    return int(at_s)


def _dated(text: str, place: str, local: tzinfo) -> _Step:
    """A time with its offset, or on a clock in that zone."""
    try:
        at = datetime.fromisoformat(text)
        if at.year >= 1970 and not at.microsecond:
            at_s = at.replace(tzinfo=at.tzinfo or local).timestamp()
            return _Step(int(at_s), 0, at.tzinfo is not None)
    except (ValueError, OverflowError):
        pass
    raise BadInput(f"{place}: {cut(text)}; allowed: a time in whole seconds, {TIME}")


def _told(file: CsvFile, station: Station, told_s: int) -> Iterator["Profile"]:
    """What a JSON file says: a profile, whatever `limit --profile` takes, or a list of them."""
    from pydantic import ValidationError

    from verified_alloc.decide.limits.profile import OF_STATION
    from verified_alloc.service.limit_models import Limit, profiles
    from verified_alloc.service.models import said_of

    told = _json(file)
    for count, entry in enumerate(told if isinstance(told, list) else [told], start=1):
        place = f"{file.name}, entry {count}" if isinstance(told, list) else file.name
        try:
            limit = Limit.model_validate(placed(entry) if isinstance(entry, dict) else entry)
            if limit.whose is not None:
                raise BadInput(f"gun = {limit.whose}: allowed is a limit of all guns together")
            entries = profiles(limit, station, told_s)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"])) or "limit"
            raise BadInput(f"{place}: {said_of(key, first['input'], first['msg'])}") from None
        except BadInput as error:
            raise BadInput(f"{place}: {error}") from None
        for profile in entries:
            if profile.purpose not in OF_STATION:
                assert limit.told is not None
                purpose = shown(limit.told.chargingProfilePurpose)
                raise BadInput(
                    f"{place}: chargingProfilePurpose = {purpose}: allowed is one for all guns"
                    " together"
                )
            yield profile


def _json(file: CsvFile) -> Any:
    with file.opened() as data:
        text = data.read()
    allowed = "allowed: an OCPP charging profile, or a list of them"
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{file.name}, line {error.lineno}: not JSON ({error.msg}); {allowed}"
        ) from None
    except (ValueError, RecursionError):
        raise BadInput(f"{file.name}: not JSON; {allowed}") from None
