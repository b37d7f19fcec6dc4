"""One DC power module: output stage, status line, decaying current, discharging capacitors."""

from dataclasses import dataclass

OPEN_CIRCUIT_V = 500
"""Terminal voltage of a module that runs on no gun."""


@dataclass(slots=True, eq=False)
class PowerModule:
    """A module with a blocking diode at its output; it follows its enable after the gates."""

    id: int
    power_w: int
    rise_us: int
    decay_us: int
    discharge_us: int
    wire: bool = False
    enabled: bool = False
    dead: bool = False
    stuck_on: bool = False
    ungated: bool = False
    """Emergency stop and watchdog do not cut its enable."""
    running: bool = False
    risen: bool = False
    reported: bool = False
    changed_us: int = -1
    disabled_us: int = 0
    off_current_ma: int = 0
    terminal_v: int = 0

    def start(self, now_us: int) -> None:
        """The output stage starts; current and status follow after `rise_us`."""
        self.running, self.risen, self.changed_us = True, False, now_us

    def stop(self, now_us: int, current_ma: int, terminal_v: int) -> None:
        """The output stage stops; `current_ma` flows on and decays."""
        self.reported = self.risen
        self.running, self.risen, self.changed_us = False, False, now_us
        self.off_current_ma, self.terminal_v = current_ma, terminal_v

    def status(self, now_us: int) -> bool:
        """The status line: on and off again `rise_us` after the output stage."""
        if self.running:
            return self.risen
        return self.reported and now_us < self.changed_us + self.rise_us

    def decaying_ma(self, now_us: int) -> int:
        """Current that still flows after the output stage stopped; rounded up, 0 when gone."""
        left_us = self.changed_us + self.decay_us - now_us
        if self.running or left_us <= 0 or not self.off_current_ma:
            return 0
        return -(-self.off_current_ma * left_us // self.decay_us)

    def discharging_v(self, now_us: int) -> int:
        """Terminal voltage after the output stage stopped, in whole volts."""
        left_us = self.changed_us + self.discharge_us - now_us
        return self.terminal_v * left_us // self.discharge_us if left_us > 0 else 0
