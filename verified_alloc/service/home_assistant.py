"""What Home Assistant is told once by MQTT, so that it finds the station and its guns by itself:
device-based discovery. It only reads: a demand must be refreshed, which its entities do not do."""

import re
from collections.abc import Iterator
from typing import Any

from verified_alloc.service.settings import Broker
from verified_alloc.station.model import Station

EXPIRES_S = 15
"""A state is told every second; who has heard none for so long shows none."""

Components = dict[str, dict[str, Any]]


def discovery(broker: Broker, station: Station, version: str) -> Iterator[tuple[str, Any]]:
    """Topic and configuration of each device: the station, then its guns."""
    whole = _id(broker.topic)
    device = {"mf": "verified-alloc", "sw": version}

    def config(id: str, state: str, device: dict[str, Any], components: Components) -> Any:
        for name, component in components.items():
            component |= {"unique_id": f"{id}_{name}", "expire_after": EXPIRES_S}
        return {
            "dev": {"ids": id, **device},
            "o": {"name": "verified-alloc", "sw": version},
            "cmps": components,
            "state_topic": f"{broker.topic}/{state}",
            "availability": [
                {
                    "topic": f"{broker.topic}/offers",
                    "value_template": "{{ 'online' if value_json.online else 'offline' }}",
                }
            ],
            "qos": 1,
        }

    about = device | {"name": station.name, "mdl": f"station of {len(station.guns)} guns"}
    yield _topic(broker, whole), config(whole, "state", about, _of_station())
    for gun in station.guns:
        id = f"{whole}_gun_{gun.id}"
        about = device | {"name": f"{station.name} gun {gun.id}", "mdl": "gun", "via_device": whole}
        yield _topic(broker, id), config(id, f"gun/{gun.id}/state", about, _of_gun())


def _of_station() -> Components:
    guns = "value_json.guns | map(attribute='{}') | sum"
    return {
        "offered": _power("Offered", guns.format("offer_kw")),
        "energy": _energy(f"({guns.format('energy_kwh')}) | round(3)"),
        "site_limit": _power("Site limit", "value_json.site_limit.limit_kw"),
        "faults": _sensor("Faults", "value_json.faults | count", state_class="measurement"),
        "stopped": _alarm("Stopped", "value_json.stopped"),
        "trouble": _alarm("Trouble", "not value_json.healthy"),
    }


def _of_gun() -> Components:
    return {
        "demand": _power("Demand", "value_json.demand_kw"),
        "offer": _power("Offer", "value_json.offer_kw"),
        "unmet": _power("Unmet", "value_json.unmet_kw"),
        "energy": _energy("value_json.energy_kwh"),
        "modules": _sensor("Modules", "value_json.live | count", state_class="measurement"),
        "locked": _alarm("Locked by a fault", "value_json.locked"),
        "out": _alarm("Out of service", "not value_json.in_service"),
    }


def _sensor(name: str, value: str, **more: str) -> dict[str, Any]:
    return {"p": "sensor", "name": name, "value_template": f"{{{{ {value} }}}}", **more}


def _power(name: str, value: str) -> dict[str, Any]:
    unit = {"device_class": "power", "unit_of_measurement": "kW", "state_class": "measurement"}
    return _sensor(name, value, **unit)


def _energy(value: str) -> dict[str, Any]:
    """It begins at 0 with each start, which Home Assistant reckons with."""
    unit = {"device_class": "energy", "unit_of_measurement": "kWh"}
    return _sensor("Energy", value, **unit, state_class="total_increasing")


def _alarm(name: str, wrong: str) -> dict[str, Any]:
    template = f"{{{{ 'ON' if {wrong} else 'OFF' }}}}"
    alarm = {"p": "binary_sensor", "name": name, "device_class": "problem"}
    return alarm | {"value_template": template}


def _topic(broker: Broker, id: str) -> str:
    return f"{broker.home_assistant}/device/{id}/config"


def _id(topic: str) -> str:
    """Of the letters that are allowed there; another topic has another."""
    return re.sub(r"[^a-zA-Z0-9-]", lambda found: f"_{ord(found[0]):x}_", topic)
