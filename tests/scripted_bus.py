"""A bus without chips: each transfer is answered by what the test says, as smbus2 would show it."""

from ctypes import memmove

from smbus2 import i2c_msg

Message = bytes | int
"""What is written, or how many bytes are asked for."""


class ScriptedBus:
    """Answers the transfers in turn; None: nobody acknowledges. `sent` has what was asked."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.sent: list[list[Message]] = []
        self.addresses: set[int] = set()

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        self.sent.append([msg.len if msg.flags else bytes(msg) for msg in messages])
        self.addresses |= {msg.addr for msg in messages}
        answer = self.answers.pop(0)
        if answer is None:
            raise OSError(121, "Remote I/O error")
        assert len(answer) == (messages[-1].len if messages[-1].flags else 0)
        memmove(messages[-1].buf, answer, len(answer))


def word(value: int) -> bytes:
    """A word as it is on the wire, port A first."""
    return value.to_bytes(2, "little")


def registers(latch: int = 0, feedback: bool = False, **others: int) -> bytes:
    """All registers of a configured chip, IODIRA first; others: words by the register's name. The
    pins show the latches."""
    values = {
        "iodir": 0xFFFF if feedback else 0,
        "ipol": 0,
        "gpinten": 0,
        "defval": 0 if feedback else 0x5AA5,
        "intcon": 0,
        "iocon": 0,
        "gppu": 0xFFFF if feedback else 0,
        "intf": 0,
        "intcap": 0,
        "gpio": latch,
        "olat": latch,
    }
    assert others.keys() <= values.keys()
    return b"".join(map(word, (values | others).values()))


def from_ipol(shown: bytes) -> bytes:
    """All registers in the order in which a chip is asked for them: IODIR last."""
    return shown[2:] + shown[:2]
