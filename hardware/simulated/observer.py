"""What the simulated plant tells whoever judges it."""

from hardware.simulated.contactor import Contactor, Drive
from hardware.simulated.power_module import PowerModule


class Observer:
    """What a judge may watch. Every call comes after the change, at its own instant."""

    def coil(self, contactor: Contactor, drive: Drive) -> None:
        """A coil gained or lost its energy."""

    def contact(self, contactor: Contactor, drive: Drive, current_ma: int, across_v: int) -> None:
        """A main contact closed across `across_v` (module above gun), or parted at `current_ma`."""

    def stayed_closed(self, contactor: Contactor, drive: Drive) -> None:
        """A welded contact did not part."""

    def enabled(self, module: PowerModule, cause: str, gun_draw_w: int) -> None:
        """An enable rose or fell behind the gates; `gun_draw_w` was drawn before."""

    def failed(self, module: PowerModule, cause: str) -> None:
        """A module died, ran on its own, or recovered."""

    def looked_at(self, module: int) -> None:
        """Somebody looked at a line that showed this module on."""

    def offered(self, gun: int, cause: str) -> None:
        """The offer to a gun changed or expired."""

    def alarm(self) -> None:
        """A time asked for with `Cabinet.wake_observer` has come."""
