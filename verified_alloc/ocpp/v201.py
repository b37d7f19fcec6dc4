"""OCPP 2.0.1: how its messages are spelled. An EVSE, with its connector 1, is a gun."""

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call, call_result
from ocpp.v201.datatypes import ChargingStationType, StatusInfoType

from verified_alloc.ocpp.charge_point import VENDOR, SmartCharging
from verified_alloc.ocpp.station import CHARGING, SUSPENDED, iso

OCCUPIED = "Occupied"
LONGEST_INFO = 512


def _info(why: str) -> StatusInfoType | None:
    return StatusInfoType("InvalidProfile", why[:LONGEST_INFO]) if why else None


class SmartCharging201(SmartCharging):
    """With a CSMS that speaks it."""

    _call, _call_result, _ocpp_version = call, call_result, "2.0.1"

    def boot_notification(self) -> Any:
        """Who we are."""
        about = ChargingStationType(
            vendor_name=VENDOR, model=self.station.model, firmware_version=self.station.version
        )
        return call.BootNotification(charging_station=about, reason="PowerUp")

    def heartbeat(self) -> Any:
        """We are there."""
        return call.Heartbeat()

    def status_notification(self, gun: int, status: str, at: str) -> Any:
        """Of a gun; the station has none of its own."""
        if not gun:
            return None
        occupied = status in (CHARGING, SUSPENDED)
        return call.StatusNotification(
            timestamp=at,
            connector_status=OCCUPIED if occupied else status,
            evse_id=gun,
            connector_id=1,
        )

    def meter_values(self, gun: int, at: str, offer_w: int, energy_wh: int) -> Any:
        """Of a gun."""
        sampled = [
            {"value": offer_w, "measurand": "Power.Offered", "unit_of_measure": {"unit": "W"}},
            {"value": energy_wh, "measurand": "Energy.Active.Import.Register"},  # Wh
        ]
        return call.MeterValues(
            evse_id=gun, meter_value=[{"timestamp": at, "sampled_value": sampled}]
        )

    @on("SetChargingProfile")
    async def on_set(self, evse_id: int, charging_profile: Any, **_: Any) -> Any:
        """A limit."""
        _taken, why = await self.ask(self.station.put, evse_id, charging_profile)
        return call_result.SetChargingProfile("Rejected" if why else "Accepted", _info(why))

    @on("ClearChargingProfile")
    async def on_clear(
        self,
        charging_profile_id: int | None = None,
        charging_profile_criteria: Any = None,
        **_: Any,
    ) -> Any:
        """Limits taken back; with an id the criteria do not count."""
        which = {} if charging_profile_id is not None else charging_profile_criteria or {}
        cleared, why = await self.ask(
            self.station.clear,
            charging_profile_id,
            which.get("evse_id"),
            which.get("charging_profile_purpose"),
            which.get("stack_level"),
        )
        return call_result.ClearChargingProfile("Accepted" if cleared else "Unknown", _info(why))

    @on("GetCompositeSchedule")
    async def on_composite(
        self, evse_id: int, duration: int, charging_rate_unit: str | None = None, **_: Any
    ) -> Any:
        """What will be allowed."""
        found, why = await self.ask(self.station.composite, evse_id, duration, charging_rate_unit)
        if found is None:
            return call_result.GetCompositeSchedule("Rejected", _info(why))
        schedule = {"evse_id": evse_id, "schedule_start": iso(found.start_s), **found.spelled()}
        return call_result.GetCompositeSchedule("Accepted", schedule=schedule)
