"""The simulated bus, through the real smbus2."""

import smbus2

from hardware.simulated.bus import SimulatedBus
from hardware.simulated.virtual_time import VirtualTime


def test_a_word_is_written_and_read_back() -> None:
    bus = SimulatedBus(VirtualTime(), [0x20], [0x24])
    with bus.installed(), smbus2.SMBus(1) as host:
        host.i2c_rdwr(smbus2.i2c_msg.write(0x20, [0x00, 0, 0]))
        back = smbus2.i2c_msg.read(0x20, 4)
        host.i2c_rdwr(
            smbus2.i2c_msg.write(0x20, [0x14, 0x12, 0x34]), smbus2.i2c_msg.write(0x20, [0x12]), back
        )
        assert bytes(back) == bytes([0x12, 0x34, 0x12, 0x34])
