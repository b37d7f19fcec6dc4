"""What is told and heard by MQTT, as an AsyncAPI 3 document made of the models."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from verified_alloc.service.models import Answer, Assignment, GunView, Offers, Owner, StateView
from verified_alloc.service.mqtt_orders import KINDS, OF_STATION
from verified_alloc.service.settings import Broker
from verified_alloc.station.model import Station

SCHEMAS, MESSAGES = "#/components/schemas/", "#/components/messages/"
EXAMPLES: dict[str, dict[str, Any]] = {
    "demand": {"demand_kw": 120.0, "sent_at": 1795534856.0, "id": "a1"},
    "acknowledgement": {"offer_kw": 80.0, "id": "a2"},
    "hold": {"hold_s": 60.0, "id": "a3"},
    "limit": {"limit_kw": 100.0, "id": "a4"},
    "clear_limits": {"purpose": "external", "id": "a5"},
    "heartbeat": {"id": "a6"},
    "policy": {"policy": "fair", "id": "a7"},
    "gun_service": {"gun": 3, "in_service": False, "id": "a8"},
    "module_service": {"module": 4, "in_service": False, "id": "a9"},
    "clear_fault": {"fault": "module-4", "id": "a10"},
    "acknowledge_fault": {"fault": "module-4", "id": "a11"},
    "stop": {"id": "a12"},
}


class Topic(NamedTuple):
    """One kind of topic, below the station's."""

    name: str
    address: str
    model: type[BaseModel]
    told: bool
    """By the station; else it listens."""
    retained: bool = False
    named: bool = True
    """The model says whose it is; else the station's name is put before it."""

    @property
    def schema(self) -> str:
        """The name of what it carries."""
        return self.model.__name__ if self.named else f"{self.model.__name__}ByMqtt"


def topics() -> Iterator[Topic]:
    """All of them."""
    for kind, model in KINDS.items():
        yield Topic(kind, f"set/gun/{{gun}}/{kind}", model, told=False)
    for kind, about in OF_STATION.items():
        yield Topic(kind, f"set/{kind}", about, told=False)
    yield Topic("answer", "gun/{gun}/answer", Answer, told=True)
    yield Topic("station_answer", "answer", Answer, told=True)
    yield Topic("offers", "offers", Offers, told=True, retained=True, named=False)
    yield Topic("assignment", "assignment", Assignment, told=True, retained=True, named=False)
    yield Topic("gun_state", "gun/{gun}/state", GunView, told=True, retained=True, named=False)
    yield Topic("state", "state", StateView, told=True, retained=True)
    yield Topic("owner", "owner/{owner}", Owner, told=True, retained=True)


def document(station: Station, broker: Broker | None, version: str) -> dict[str, Any]:
    """Of this station; without a broker as it would be on one."""
    root = f"verified-alloc/{station.name}" if broker is None else broker.topic
    listed = list(topics())
    _, told = models_json_schema(
        [(each.model, "serialization" if each.told else "validation") for each in listed],
        ref_template=f"{SCHEMAS}{{model}}",
    )
    schemas = told["$defs"]
    for each in listed:
        if not each.named:
            schema = schemas[each.model.__name__]
            station_name = {"type": "string", "description": "whose it is"}
            schemas[each.schema] = schema | {
                "title": each.schema,
                "properties": {"station": station_name, **schema["properties"]},
                "required": ["station", *schema["required"]],
            }
    parameters: dict[str, Any] = {
        "gun": {"description": "its number", "enum": [str(gun.id) for gun in station.guns]},
        "owner": {"description": "of the process, then of its connection"},
    }
    servers = {} if broker is None else {"servers": {"broker": _server(broker)}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"verified-alloc: {station.name}",
            "version": version,
            "description": "What a charging station tells and hears by MQTT 5. Powers are kW, times"
            " at which something was are Unix time in s.",
        },
        "defaultContentType": "application/json",
        **servers,
        "channels": {each.name: _channel(each, root, parameters) for each in listed},
        "operations": {each.name: _operation(each) for each in listed},
        "components": {
            "messages": {each.name: _message(each) for each in listed},
            "schemas": schemas,
        },
    }


def _server(broker: Broker) -> dict[str, str]:
    return {
        "host": f"{broker.host}:{broker.port}",
        "protocol": "secure-mqtt" if broker.tls else "mqtt",
        "protocolVersion": "5.0",
    }


def _channel(topic: Topic, root: str, parameters: dict[str, Any]) -> dict[str, Any]:
    used = {name: what for name, what in parameters.items() if f"{{{name}}}" in topic.address}
    return {
        "address": f"{root}/{topic.address}",
        "messages": {topic.name: {"$ref": f"{MESSAGES}{topic.name}"}},
        **({"parameters": used} if used else {}),
    }


def _operation(topic: Topic) -> dict[str, Any]:
    """A message that asks may name another topic for its answer, by MQTT 5."""
    operation: dict[str, Any] = {
        "action": "send" if topic.told else "receive",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "bindings": {"mqtt": {"qos": 1, "retain": topic.retained, "bindingVersion": "0.2.0"}},
    }
    if not topic.told:
        answer = "station_answer" if topic.name in OF_STATION else "answer"
        operation["reply"] = {"channel": {"$ref": f"#/channels/{answer}"}}
    return operation


def _message(topic: Topic) -> dict[str, Any]:
    example = EXAMPLES.get(topic.name)
    return {
        "summary": " ".join((topic.model.__doc__ or "").split()),
        "payload": {"$ref": f"{SCHEMAS}{topic.schema}"},
        **({"examples": [{"payload": example}]} if example else {}),
    }
