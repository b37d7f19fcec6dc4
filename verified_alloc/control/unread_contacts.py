"""Tells of contactors of which nobody knows whether they are closed."""

from collections.abc import Iterator

from verified_alloc.kernel.scan import Memory, Observed
from verified_alloc.station.model import Station


class UnreadContacts:
    """Watches lost expanders whose coils are in doubt and whose contacts cannot be read."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._before: frozenset[int] = frozenset()

    def news(self, memory: Memory, observed: Observed) -> Iterator[str]:
        """A sentence for each expander that has become one."""
        conditions = zip(
            memory.healing, observed.coils_doubted, observed.contacts_read, strict=True
        )
        now = frozenset(
            at
            for at, (healing, doubted, read) in enumerate(conditions)
            if healing.lost and doubted and not read
        )
        yield from map(self._sentence, sorted(now - self._before))
        self._before = now

    def _sentence(self, expander: int) -> str:
        hardware, built = self._station.hardware, self._station.built
        guns = [
            str(gun)
            for gun, places in enumerate(zip(*built.places, strict=True), start=1)
            if [expander] in places
        ]
        return (
            f"nobody knows which contactors of expanders {hardware.output_name(expander)}"
            f" and {hardware.feedback_name(expander)} are closed; guns"
            f" {', '.join(guns)} are locked until they are read, configured anew or cleared"
        )
