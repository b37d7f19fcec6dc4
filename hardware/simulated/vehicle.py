"""The vehicle on a gun: what it could take, what it may take, what it draws, what it got."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Vehicle:
    """Draws min(demand, offer heeded, power on its gun); energy is exact, in watt-microseconds.

    A higher offer is heeded at once, a lower one after `response_us`, an expired one is 0 at once.
    """

    gun: int
    battery_v: int
    response_us: int
    demand_w: int = 0
    offer_w: int = 0
    expires_us: int = 0
    heeded_w: int = 0
    draw_w: int = 0
    energy_wus: int = 0
    since_us: int = 0

    def redraw(self, now_us: int, power_w: int) -> None:
        """Account for the energy so far and draw anew from `power_w`."""
        self.energy_wus += self.draw_w * (now_us - self.since_us)
        self.since_us = now_us
        self.draw_w = min(self.demand_w, self.heeded_w, power_w)
