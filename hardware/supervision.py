"""What watches over the station: expander reset, emergency stop, and who hears that scans are
verified."""

from gpiozero import Device

from hardware import DeviceLost
from hardware.heartbeat import ServiceManager, WatchdogTimer
from hardware.layout import Layout
from hardware.modules import claim_input, claim_output, release


class Supervision:
    """The reset, watchdog and emergency stop lines and the watchdog device of this layout. The
    reset line is not claimed before it is first told.

    Raises DeviceLost where a line cannot be had, and for a line that fails later.
    """

    def __init__(self, layout: Layout) -> None:
        self._hearts: list[WatchdogTimer | ServiceManager] = [ServiceManager()]
        if layout.watchdog_device:
            self._hearts.append(WatchdogTimer(layout.watchdog_device))
        self._reset_pin = layout.reset_pin
        self._reset: Device | None = None
        self._lines: list[Device] = []
        try:
            self._watchdog = self._keep(claim_output("watchdog output", layout.watchdog_pin))
            self._estop = self._keep(claim_input("emergency stop input", layout.estop_pin))
        except DeviceLost:
            self.close()
            raise

    @property
    def stopped(self) -> bool:
        """The emergency stop is pressed, or its wire is broken: low when looked at twice. (What
        the stop itself does, its hardware does without us.)"""
        try:
            return bool(self._estop.value != 1 and self._estop.value != 1)
        except Exception as error:
            raise DeviceLost(f"emergency stop input: {error}") from error

    def pet(self, due: bool) -> None:
        """If it is due, give the relay supply's watchdog an edge. Nothing else does."""
        if not due:
            return
        try:
            self._watchdog.toggle()
        except Exception as error:
            raise DeviceLost(f"watchdog output: {error}") from error

    def beat(self, due: bool) -> None:
        """If it is due, tell the Pi's watchdog timer and systemd that the process is well."""
        if due:
            for heart in self._hearts:
                heart.beat()

    def reset(self, low: bool) -> None:
        """Hold the expanders in reset, or let them out of it. Only with no current anywhere: what
        was closed opens, and LGPIOFactory claims a line low before it drives it high."""
        try:
            if self._reset is None:
                self._reset = self._keep(
                    claim_output("expander reset", self._reset_pin, high=not low)
                )
            elif low == self._reset.value:
                self._reset.value = not low
        except DeviceLost:
            raise
        except Exception as error:
            raise DeviceLost(f"expander reset: {error}") from error

    def close(self) -> None:
        """Let go of the lines. Nothing is raised.

        The reset line is not pulled low first: with current still flowing that would open
        contactors at once, while the supply's own off-delay waits until the current is gone.
        """
        for heart in self._hearts:
            heart.close()
        release(self._lines)

    def _keep(self, line: Device) -> Device:
        self._lines.append(line)
        return line
