"""What the scan shows to the service process, made up around one state."""

from typing import Any

from verified_alloc.control.standing_limits import Standing
from verified_alloc.control.state import State
from verified_alloc.decide.limits.store import Allowed
from verified_alloc.service.snapshot import Lateness, Snapshot


def snapshot_of(state: State, **changed: Any) -> Snapshot:
    seen = Snapshot(
        at_s=0,
        started_s=0,
        scans=1,
        unverified=0,
        ending=False,
        state=state,
        assignment=1,
        assigned_s=0,
        limits=Standing(0, (), {}, Allowed(None, (None,) * 6)),
        limit_rises_s=None,
        fell_to_0=(0,) * 6,
        operations_an_hour=(0,) * 6,
        energy_wms=(0,) * 6,
        drawn_w=None,
        lateness=Lateness((0,) * 31, 0, 0, 0),
        notes=(),
    )
    return seen._replace(**changed)
