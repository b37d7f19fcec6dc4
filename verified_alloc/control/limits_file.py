"""The limits that must outlive the process: a small file beside the latched faults."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from hardware import HardwareError
from verified_alloc import whole_file
from verified_alloc.decide.limits.profile import Profile
from verified_alloc.decide.limits.store import Session
from verified_alloc.errors import reason

ROOM_BYTES = 1 << 14
"""Taken on the disk at the first limit: what fits is kept also by a full one."""

Unix = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Reason = Literal["", "silent", "damaged"]
"""Why the failsafe value counts."""


class Kept(NamedTuple):
    """What was told and not taken back."""

    profiles: tuple[Profile, ...] = ()
    sessions: tuple[tuple[int, Session], ...] = ()
    """By gun, those that a profile depends on."""
    failsafe: Reason = ""
    on_set_clock: bool = True
    """Unix times in it are true: the clock was trusted."""
    other_w: int = 0
    """What others draw behind the same connection."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    written_s: Unix
    on_set_clock: bool
    failsafe: Reason
    profiles: tuple[dict[str, Any], ...]
    sessions: tuple[tuple[int, int, str | None], ...]
    other_w: Annotated[int, Field(ge=0)] = 0


def beside(faults: Path) -> Path:
    """Where the limits are of the station whose latched faults are there."""
    return faults.with_name(f"{faults.stem}.limits.json")


class LimitsFile:
    """Without a path they last as long as the process. `lost` says why what was kept is not known,
    `written_s` when the file was written, if there is one."""

    def __init__(self, path: Path | None, unix_s: Callable[[], float]) -> None:
        self.path = path
        self._unix_s = unix_s
        self.lost = ""
        self.written_s = 0.0

    def load(self) -> Kept:
        """What is kept. Where a file was and cannot be read, nobody knows what was promised to the
        grid: the failsafe value counts."""
        if self.path is None:
            return Kept()
        try:
            stored = _File.model_validate_json(self.path.read_text(encoding="utf-8").strip())
            kept = Kept(
                tuple(map(_profile, stored.profiles)),
                tuple((gun, Session(at_s, whose)) for gun, at_s, whose in stored.sessions),
                stored.failsafe,
                stored.on_set_clock,
                stored.other_w,
            )
            self.written_s = stored.written_s
            return kept
        except FileNotFoundError:
            if not whole_file.spare(self.path).exists():
                return Kept()
            why = f"is gone, and {whole_file.spare(self.path).name} is still there"
        except OSError as error:
            why = f"cannot be read ({reason(error)})"
        except (ValueError, KeyError, TypeError, RecursionError):
            why = "is damaged"
            with suppress(OSError):
                shutil.copyfile(self.path, self.path.with_name(self.path.name + ".damaged"))
        self.lost = f"limits file {self.path}: {why}, what was told is not known"
        return Kept(failsafe="damaged")

    def save(self, kept: Kept) -> None:
        """On disk when this returns; `HardwareError` if it cannot be written."""
        if self.path is None:
            return
        text = json.dumps(
            {
                "version": 1,
                "written_s": self._unix_s(),
                "on_set_clock": kept.on_set_clock,
                "failsafe": kept.failsafe,
                "profiles": [_told(profile) for profile in kept.profiles],
                "other_w": kept.other_w,
                "sessions": [(gun, *session) for gun, session in kept.sessions],
            }
        )
        try:
            whole_file.write(self.path, text, ROOM_BYTES)
        except OSError as error:
            raise HardwareError(f"limits file {self.path}: {reason(error)}") from error


def _told(profile: Profile) -> dict[str, Any]:
    defaults = Profile._field_defaults
    return {
        key: value
        for key, value in profile._asdict().items()
        if key not in defaults or value != defaults[key]
    }


def _profile(stored: dict[str, Any]) -> Profile:
    profile = Profile(**{**stored, "starts_s": (), "limits_w": ()})
    starts_s, limits_w = map(tuple, (stored["starts_s"], stored["limits_w"]))
    numbers = (*starts_s, *limits_w, profile.duration_s, profile.every_s)
    if (
        profile.purpose not in ("external", "station", "default", "session")
        or not all(type(each) in (int, float) and each >= 0 for each in numbers)
        or len(starts_s) != len(limits_w)
        or starts_s[:1] != (0,)
    ):
        raise ValueError("not a profile")
    return profile._replace(starts_s=starts_s, limits_w=limits_w)
