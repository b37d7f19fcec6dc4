"""The lines of the virtual Pi's header, seen and driven from outside.

Through QEMU's test socket (docs/devel/qtest.rst): the kernel in the machine drives the registers of
the GPIO controller, and from here they are read, with every edge in between told by QEMU. QEMU's
model of the controller knows no levels from outside; of a line that is an input, the level register
shows what was last written to its set and clear registers, so that is how an input is driven.
"""

import socket
from collections.abc import Callable, Iterable
from struct import Struct

LINES = range(28)

_BASE = 0x3F20_0000
_FUNCTION_SELECT, _SET, _CLEAR, _LEVEL = 0x00, 0x1C, 0x28, 0x34
_REGISTERS = Struct("<14I")  # from the first to the level register of lines 0 to 31
_OUTPUT = 1
_PER_REGISTER = 10


class Header:
    """Tells what the machine drives and shows it what others do.

    driven(line, level, claimed): a line that is an output takes this level; claimed: it has just
        become one. released(line): it is an input again. read(line): the level of an input, None
        where nothing is wired.
    """

    def __init__(
        self,
        stream: socket.socket,
        driven: Callable[[int, bool, bool], None],
        released: Callable[[int], None],
        read: Callable[[int], bool | None],
    ) -> None:
        self._stream = stream
        self._answers = stream.makefile()
        self._driven, self._released, self._read = driven, released, read
        self._outputs: dict[int, bool] = {}  # with their levels
        self._ask("irq_intercept_out /machine/soc/peripherals/gpio")

    def look(self) -> None:
        """Bring both sides up to date."""
        answer = self._ask(f"read {_BASE:#x} {_REGISTERS.size:#x}")
        registers = _REGISTERS.unpack(bytes.fromhex(answer.removeprefix("OK 0x")))
        levels = registers[_LEVEL // 4]
        for line in LINES:
            function = registers[line // _PER_REGISTER] >> 3 * (line % _PER_REGISTER) & 7
            if function == _OUTPUT:
                self._drive(line, bool(levels >> line & 1))
            elif line in self._outputs:
                del self._outputs[line]
                self._released(line)
        wired = {line: self._read(line) for line in LINES if line not in self._outputs}
        self._put(_SET, (n for n, high in wired.items() if high and not levels >> n & 1))
        self._put(_CLEAR, (n for n, high in wired.items() if high is False and levels >> n & 1))

    def _put(self, register: int, lines: Iterable[int]) -> None:
        bits = sum(1 << line for line in lines)
        if bits:
            self._ask(f"writel {_BASE + register:#x} {bits:#x}")

    def _ask(self, command: str) -> str:
        """The answer; edges that QEMU tells of meanwhile come first."""
        self._stream.sendall(f"{command}\n".encode())
        while True:
            words = self._answers.readline().split()
            if words[0] != "IRQ":
                return " ".join(words)
            line, level = int(words[2]), words[1] == "raise"
            if line not in self._outputs:  # became one, and moved, since the last look
                self._drive(line, not level)
            self._drive(line, level)

    def _drive(self, line: int, level: bool) -> None:
        """QEMU does not tell of an edge where a line was another's in between: hence also called
        with what the registers show."""
        claimed = line not in self._outputs
        if claimed or self._outputs[line] != level:
            self._outputs[line] = level
            self._driven(line, level, claimed)
