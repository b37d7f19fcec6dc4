"""What is out of order for the whole station, is latched by nobody, and ends by itself."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from verified_alloc.kernel import supply
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.scan import Memory


class Alarm(NamedTuple):
    """Said when it begins and, as long as it lasts, in every state; and when it is over."""

    is_on: Callable[[Built, Memory], bool]
    sentence: str
    over: str


def _bus_is_dead(built: Built, memory: Memory) -> bool:
    return memory.answering_ms <= NOT_SO and all(each.lost for each in memory.healing)


def _none_follows(built: Built, memory: Memory) -> bool:
    return supply.is_to_be_told(built.timing, memory.none_follows_ms)


ALARMS = (
    Alarm(
        _none_follows, "no contactor closes: is the relay supply there?", "contactors close again"
    ),
    Alarm(
        _bus_is_dead,
        "no expander answers: is the I2C bus held, are they supplied?",
        "expanders answer again",
    ),
)


def alarms(built: Built, memory: Memory) -> tuple[str, ...]:
    """All that are on."""
    return tuple(each.sentence for each in ALARMS if each.is_on(built, memory))


class AlarmNews:
    """Watches scan after scan."""

    def __init__(self, built: Built) -> None:
        self._built = built
        self._before: tuple[str, ...] = ()

    def news(self, memory: Memory) -> Iterator[str]:
        """A sentence for each that begins or ends."""
        now = alarms(self._built, memory)
        for each in ALARMS:
            if (each.sentence in now) != (each.sentence in self._before):
                yield each.sentence if each.sentence in now else each.over
        self._before = now
