"""The time zone that this machine keeps, by its name."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo

LOCALTIME = Path("/etc/localtime")


def zone(localtime: Path = LOCALTIME) -> str:
    """As Europe/Berlin: of `TZ`, else of the link that says so; UTC where nothing does."""
    named = os.environ.get("TZ", "").removeprefix(":")
    _, _, linked = str(localtime.resolve()).partition("zoneinfo/")
    for name in (named, linked):
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError, KeyError):
            continue
    return "UTC"
