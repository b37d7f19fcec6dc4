"""What is said of a scan besides the faults that it latched."""

from collections.abc import Iterator, Sequence

from hardware import clock
from hardware.contactors import BusEvent
from verified_alloc.control.alarms import AlarmNews
from verified_alloc.control.bus_alarm import BusAlarm
from verified_alloc.control.lost_expanders import LostExpanders
from verified_alloc.control.timed_openings import TimedOpenings
from verified_alloc.control.unread_contacts import UnreadContacts
from verified_alloc.kernel.scan import Memory, Observed
from verified_alloc.station.model import Station


class News:
    """Watches scan after scan."""

    def __init__(self, station: Station) -> None:
        self._lost = LostExpanders(station)
        self._unread = UnreadContacts(station)
        self._timed = TimedOpenings(station.built)
        self._alarms = AlarmNews(station.built)
        self._bus_alarm = BusAlarm(station.hardware)

    def of(self, memory: Memory, observed: Observed, events: Sequence[BusEvent]) -> Iterator[str]:
        """The sentences that are new with this scan; `events` are the bank's latest."""
        yield from self._alarms.news(memory)
        yield from self._lost.news(memory)
        yield from self._unread.news(memory, observed)
        yield from self._timed.news(memory, observed)
        yield from self._bus_alarm.news(events, clock.now_s())
