"""What the service process may ask of the scan, in the only form in which the scan takes it. The
scan trusts that process no more than that trusts the network."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from verified_alloc.errors import BadInput
from verified_alloc.service.limit_models import ClearLimits, Limit
from verified_alloc.service.models import Asked, Kw, said_of

ALIVE = b"alive"
"""What it says by itself, every so often."""

Number = Annotated[int, Field(ge=1, le=10_000)]


class _Order(Asked):
    number: Annotated[int, Field(ge=0, le=2**53)]


class DemandOrder(_Order):
    """What a gun asks for, told so long ago."""

    do: Literal["demand"]
    gun: Number
    kw: Kw
    age_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0


class AcknowledgeOrder(_Order):
    """A gun obeys this offer."""

    do: Literal["acknowledge"]
    gun: Number
    offer_kw: Kw


class HoldOrder(_Order):
    """A gun's modules stay for so long; 0 lets them go."""

    do: Literal["hold"]
    gun: Number
    seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)]


class TakeOutOrder(_Order):
    """A gun or a module out of service, or back."""

    do: Literal["take_out"]
    kind: Literal["gun", "module"]
    id: Number
    out: bool


class PutLimitOrder(_Order):
    """A limit that stands from now on."""

    do: Literal["put_limit"]
    limit: Limit


class ClearLimitsOrder(_Order):
    """Limits taken back."""

    do: Literal["clear_limits"]
    which: ClearLimits


class HeartbeatOrder(_Order):
    """Who tells limits is there."""

    do: Literal["heartbeat"]
    other_load_kw: Kw | None = None


class PolicyOrder(_Order):
    """Another policy, until the process ends."""

    do: Literal["policy"]
    policy: Annotated[str, Field(max_length=40)]


class ClearOrder(_Order):
    """Clear a latched fault."""

    do: Literal["clear"]
    fault: Annotated[str, Field(max_length=40)]


class AcknowledgeFaultOrder(_Order):
    """Somebody has seen a latched fault."""

    do: Literal["acknowledge_fault"]
    fault: Annotated[str, Field(max_length=40)]


class StopOrder(_Order):
    """Everything off."""

    do: Literal["emergency_stop"]


class InjectOrder(_Order):
    """Play a fault on the simulated cabinet."""

    do: Literal["inject"]
    fault: Annotated[str, Field(max_length=200)]


_ORDER: TypeAdapter[_Order] = TypeAdapter(
    Annotated[
        DemandOrder
        | AcknowledgeOrder
        | HoldOrder
        | TakeOutOrder
        | PutLimitOrder
        | ClearLimitsOrder
        | HeartbeatOrder
        | PolicyOrder
        | ClearOrder
        | AcknowledgeFaultOrder
        | StopOrder
        | InjectOrder,
        Field(discriminator="do"),
    ]
)


def read(packet: bytes) -> dict[str, Any]:
    """An order; `BadInput` for whatever else."""
    try:
        return _ORDER.validate_json(packet).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "order"
        raise BadInput(said_of(where, first["input"], first["msg"])) from None
