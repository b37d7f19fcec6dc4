"""OCPP 1.6: how its messages are spelled. A connector is a gun."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call, call_result

from verified_alloc.ocpp.charge_point import VENDOR, SmartCharging
from verified_alloc.ocpp.station import FAULTED, iso


class SmartCharging16(SmartCharging):
    """With a CSMS that speaks it."""

    _call, _call_result, _ocpp_version = call, call_result, "1.6"

    def boot_notification(self) -> Any:
        """Who we are."""
        return call.BootNotification(
            charge_point_model=self.station.model,
            charge_point_vendor=VENDOR,
            firmware_version=self.station.version,
        )

    def heartbeat(self) -> Any:
        """We are there."""
        return call.Heartbeat()

    def status_notification(self, gun: int, status: str, at: str) -> Any:
        """Of a gun or, 0, the station."""
        error = "OtherError" if status == FAULTED else "NoError"
        return call.StatusNotification(
            connector_id=gun, error_code=error, status=status, timestamp=at
        )

    def meter_values(self, gun: int, at: str, offer_w: int, energy_wh: int) -> Any:
        """Of a gun."""
        sampled = [
            {"value": str(offer_w), "measurand": "Power.Offered", "unit": "W"},
            {"value": str(energy_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        ]
        return call.MeterValues(
            connector_id=gun, meter_value=[{"timestamp": at, "sampled_value": sampled}]
        )

    @on("SetChargingProfile")
    async def on_set(self, connector_id: int, cs_charging_profiles: Any) -> Any:
        """A limit."""
        _, why = await self.ask(self.station.put, connector_id, cs_charging_profiles)
        return call_result.SetChargingProfile("Rejected" if why else "Accepted")

    @on("ClearChargingProfile")
    async def on_clear(
        self,
        id: int | None = None,
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        """Limits taken back."""
        cleared, _ = await self.ask(
            self.station.clear, id, connector_id, charging_profile_purpose, stack_level
        )
        return call_result.ClearChargingProfile("Accepted" if cleared else "Unknown")

    @on("GetCompositeSchedule")
    async def on_composite(
        self, connector_id: int, duration: int, charging_rate_unit: str | None = None
    ) -> Any:
        """What will be allowed."""
        found, _ = await self.ask(
            self.station.composite, connector_id, duration, charging_rate_unit
        )
        if found is None:
            return call_result.GetCompositeSchedule("Rejected")
        start = iso(found.start_s)
        schedule = {"start_schedule": start, **found.spelled()}
        return call_result.GetCompositeSchedule("Accepted", connector_id, start, schedule)
