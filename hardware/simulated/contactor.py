"""One contactor and its auxiliary contact: coil in, main contact and mirror contact out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

AUX_READS: Mapping[str, bool | None] = MappingProxyType(
    {
        "aux-stuck-closed": True,
        "aux-broken-wire": True,
        "aux-stuck-open": False,
        "aux-chatter": None,
    }
)
"""What a faulty auxiliary contact reads (True = main contact closed, None = anything)."""


@dataclass(slots=True)
class Drive:
    """One change of a coil's energy: when, by whom, and what the judge saw at that instant."""

    at_us: int
    cause: str
    loaded: str = ""
    occupied: bool = False
    excuse: str = ""


@dataclass(slots=True, eq=False)
class Contactor:
    """A normally open main contact that follows its coil, late, and a mirror contact that tells.

    `operate_us` and `release_us` are this contactor's own times from coil to first touch and from
    coil to parting. A coil pulse shorter than `min_response_us` moves nothing. After each motion
    the auxiliary contact bounces for `bounce_us`; the main contact counts as closed from its
    first touch.
    """

    gun: int
    module: int
    operate_us: int
    release_us: int
    bounce_us: int
    min_response_us: int
    latched: bool = False
    energised: bool = False
    closed: bool = False
    pending: list[tuple[int, bool, Drive]] = field(default_factory=list)
    latched_at_us: int = -1
    bounce_until_us: int = -1
    weld_armed: bool = False
    welded: bool = False
    failed_open: bool = False
    held_open: bool = False
    held_closed: bool = False
    operate_extra_us: int = 0
    release_extra_us: int = 0
    aux_fault: str = ""
    coil_fault: str = ""

    def energise(self, on: bool, drive: Drive) -> int | None:
        """The coil gains or loses its energy; returns when the contact will move, if it will."""
        self.energised = on
        pending = self.pending
        if pending and drive.at_us - pending[-1][2].at_us < self.min_response_us:
            pending.pop()
            return None
        if on:
            due_us = drive.at_us + self.operate_us + self.operate_extra_us
        else:
            due_us = drive.at_us + self.release_us + self.release_extra_us
        if pending and due_us <= pending[-1][0]:
            pending.pop()  # the armature turns round before it arrives
            return None
        pending.append((due_us, on, drive))
        return due_us

    def move(self, close: bool, now_us: int) -> bool:
        """The armature arrives; returns whether the main contact changed."""
        if close:
            if self.closed or self.failed_open or self.held_open:
                return False
            if self.weld_armed:
                self.weld_armed, self.welded = False, True
        elif not self.closed or self.welded or self.held_closed:
            return False
        self.closed = close
        self.bounce_until_us = now_us + self.bounce_us
        return True

    def fail(self, kind: str, begins: bool, late_us: int) -> None:
        """A fault of this kind begins, or ends; `late_us`: how much late is late."""
        if kind.startswith("aux-"):
            self.aux_fault = kind if begins else ""
        elif kind.startswith("coil-"):
            self.coil_fault = kind if begins else ""
        elif kind == "late-operate":
            self.operate_extra_us = late_us if begins else 0
        elif kind == "late-release":
            self.release_extra_us = late_us if begins else 0
        elif kind == "weld":
            self.weld_armed = begins
            self.welded = self.welded and begins
        elif kind == "failed-open":
            self.failed_open = begins
        elif kind == "spontaneous-close":
            self.held_closed = begins
        else:
            self.held_open = begins

    def noisy(self, now_us: int) -> bool:
        """Whether the auxiliary contact reads anything at this instant."""
        return self.aux_fault == "aux-chatter" or (
            now_us < self.bounce_until_us and not self.aux_fault
        )

    def noise(self, now_us: int, seed: int) -> int:
        """What a noisy one tells at this instant: a fixed hash of place, seed, and the time since
        its motion; where it chatters, of the time."""
        moved_us = 0 if self.aux_fault else self.bounce_until_us - self.bounce_us
        x = (now_us - moved_us) * 0x9E3779B1 ^ self.gun << 17 ^ self.module << 5
        x = ((x ^ seed) & 0xFFFFFFFF) * 0x85EBCA6B & 0xFFFFFFFF
        return (x ^ x >> 13 ^ x >> 21) & 1

    def reads_closed(self) -> bool:
        """What a quiet auxiliary contact tells."""
        reads_closed = AUX_READS.get(self.aux_fault) if self.aux_fault else self.closed
        return bool(reads_closed)
