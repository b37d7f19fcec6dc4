"""What can be ordered over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from verified_alloc.errors import BadInput
from verified_alloc.service.http_refusals import NO_SUCH, REFUSED, FaultId, Number, known, seen
from verified_alloc.service.limit_models import ClearLimits, Heartbeat, Limit
from verified_alloc.service.models import (
    Acknowledgement,
    Demand,
    Done,
    Hold,
    Injection,
    InService,
    PolicyAsked,
)
from verified_alloc.service.roles import ADMIN, DEMAND, OPERATE
from verified_alloc.service.scan_link import Busy, ScanLink
from verified_alloc.service.views import Views
from verified_alloc.station.model import Station


def needs(role: str) -> Any:
    """Only for those whose token may do what that role may, to that gun."""

    async def check(request: Request) -> None:
        grant, gun = request.scope["grant"], request.path_params.get("gun", "")
        if not grant.covers(role, int(gun) if gun.isdecimal() else None):
            raise HTTPException(
                403,
                f"{grant.name}, {grant.role}: allowed is a token with the role {role}"
                + (f" for gun {gun}" if role == DEMAND else ""),
            )

    return Depends(check)


def orders_router(station: Station, link: ScanLink, views: Views) -> APIRouter:
    """One path for each order; what the scan says of it comes back."""
    router = APIRouter()

    async def order(do: str, **what: Any) -> Done:
        try:
            return Done(said=await link.order(do, **what))
        except BadInput as error:
            link.refused["by the scan"] += 1
            raise HTTPException(409, str(error)) from None
        except Busy as error:
            link.refused["busy"] += 1
            raise HTTPException(503, str(error), {"Retry-After": "1"}) from None

    def gun_of(number: int) -> int:
        return known("gun", number, len(station.guns))

    def module_of(number: int) -> int:
        return known("module", number, len(station.modules))

    @router.put(
        "/api/v1/guns/{gun}/demand", responses=NO_SUCH | REFUSED, dependencies=[needs(DEMAND)]
    )
    async def put_demand(gun: Number, demand: Demand) -> Done:
        """What the gun's vehicle could take; to be refreshed within `demand_timeout_s`."""
        return await order("demand", gun=gun_of(gun), kw=demand.demand_kw)

    @router.post(
        "/api/v1/guns/{gun}/acknowledgement",
        responses=NO_SUCH | REFUSED,
        dependencies=[needs(DEMAND)],
    )
    async def post_acknowledgement(gun: Number, obeyed: Acknowledgement) -> Done:
        """The gun obeys the offer published last, which must be this."""
        return await order("acknowledge", gun=gun_of(gun), offer_kw=obeyed.offer_kw)

    @router.put(
        "/api/v1/guns/{gun}/hold", responses=NO_SUCH | REFUSED, dependencies=[needs(DEMAND)]
    )
    async def put_hold(gun: Number, hold: Hold) -> Done:
        """Nobody else gets the gun's modules, while it needs them, for so long; faults do."""
        return await order("hold", gun=gun_of(gun), seconds=hold.hold_s)

    @router.delete(
        "/api/v1/guns/{gun}/hold", responses=NO_SUCH | REFUSED, dependencies=[needs(DEMAND)]
    )
    async def delete_hold(gun: Number) -> Done:
        """Let the gun's modules go."""
        return await order("hold", gun=gun_of(gun), seconds=0)

    @router.put(
        "/api/v1/guns/{gun}/service", responses=NO_SUCH | REFUSED, dependencies=[needs(OPERATE)]
    )
    async def put_gun_service(gun: Number, service: InService) -> Done:
        """Take a gun out of service, its offer first; or back."""
        return await order("take_out", kind="gun", id=gun_of(gun), out=not service.in_service)

    @router.put(
        "/api/v1/modules/{module}/service",
        responses=NO_SUCH | REFUSED,
        dependencies=[needs(OPERATE)],
    )
    async def put_module_service(module: Number, service: InService) -> Done:
        """Take a module out of service, its gun's offer first; or back."""
        return await order(
            "take_out", kind="module", id=module_of(module), out=not service.in_service
        )

    @router.put("/api/v1/limits", responses=REFUSED, dependencies=[needs(OPERATE)])
    async def put_limit(limit: Limit) -> Done:
        """A limit for all guns together or for one, beside those that stand; in place of the one of
        its id, or of its purpose, gun, transaction and stack level. Never more than the station's
        own. It is kept, also through a restart, when this is answered."""
        return await order("put_limit", limit=limit.model_dump(mode="json", exclude_none=True))

    @router.delete("/api/v1/limits", responses=REFUSED, dependencies=[needs(OPERATE)])
    async def delete_limits(which: Annotated[ClearLimits, Query()]) -> Done:
        """Take limits back: those that have all of what is named, or all."""
        return await order("clear_limits", which=which.model_dump(exclude_none=True))

    @router.post("/api/v1/limits/heartbeat", responses=REFUSED, dependencies=[needs(OPERATE)])
    async def post_heartbeat(heartbeat: Heartbeat | None = None) -> Done:
        """Who tells limits is there: what he told counts on. He may say what others draw behind the
        same connection."""
        told = {} if heartbeat is None else heartbeat.model_dump(exclude_none=True)
        return await order("heartbeat", **told)

    @router.put("/api/v1/policy", responses=REFUSED, dependencies=[needs(OPERATE)])
    async def put_policy(asked: PolicyAsked) -> Done:
        """Share power by another policy, until the process ends: then the station file's counts."""
        return await order("policy", policy=asked.policy)

    @router.delete(
        "/api/v1/faults/{fault}", responses=NO_SUCH | REFUSED, dependencies=[needs(OPERATE)]
    )
    async def delete_fault(fault: FaultId) -> Done:
        """Clear a latched fault whose cause is gone: refused while it is visible."""
        if fault not in views.latched_by_name(seen(link).state.latched):
            raise HTTPException(404, f"fault {fault!r}: allowed is the id of a latched fault")
        return await order("clear", fault=fault)

    @router.post(
        "/api/v1/faults/{fault}/acknowledgement",
        responses=NO_SUCH | REFUSED,
        dependencies=[needs(OPERATE)],
    )
    async def post_fault_acknowledgement(fault: FaultId) -> Done:
        """Somebody has seen this fault. It stands until it is cleared."""
        if fault not in views.latched_by_name(seen(link).state.latched):
            raise HTTPException(404, f"fault {fault!r}: allowed is the id of a latched fault")
        return await order("acknowledge_fault", fault=fault)

    @router.post("/api/emergency-stop", include_in_schema=False)  # who does not follow a redirect
    @router.post("/api/v1/emergency-stop", responses=REFUSED)
    async def post_emergency_stop() -> Done:
        """Everything off until it is cleared: offers fall at once, modules go off when the guns
        obey, at most two lead times later, contactors open. It does not replace the button."""
        return await order("emergency_stop")

    @router.post("/api/v1/simulation/faults", responses=REFUSED, dependencies=[needs(ADMIN)])
    async def post_injection(injection: Injection) -> Done:
        """Play a fault on the simulated cabinet."""
        return await order("inject", fault=injection.fault)

    return router
