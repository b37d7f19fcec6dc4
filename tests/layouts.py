"""Where the wires of the reference station go, written down on its own."""

from hardware.layout import Layout

OUTPUTS, FEEDBACK = (0x20, 0x21, 0x22, 0x23), (0x24, 0x25, 0x26, 0x27)

REFERENCE = Layout(
    i2c_buses=(1,),
    output_expanders=tuple((1, at) for at in OUTPUTS),
    feedback_expanders=tuple((1, at) for at in FEEDBACK),
    enable_pins=(16, 17, 18, 19, 20, 21, 22, 23, 24),
    status_pins=(4, 5, 6, 7, 8, 9, 10, 11, 12),
    reset_pin=25,
    watchdog_pin=26,
    estop_pin=27,
    watchdog_device="",
)
