"""Dwell: a module that came to its gun a short while ago stays, as long as the gun needs it."""

from collections.abc import Sequence


class Dwell:
    """Since when each module feeds the gun that it feeds. It begins when the module is live, not
    when it is sent: a reservation must not change the target in the middle of the change that it
    came from."""

    def __init__(self, modules: int, minimum_ms: int) -> None:
        self._minimum_ms = minimum_ms
        self._gun: list[int | None] = [None] * modules
        self._since_ms = [0] * modules

    def note(self, live: Sequence[Sequence[bool]], now_ms: int) -> None:
        """See which module feeds which gun, `[gun][module]`."""
        for module, column in enumerate(zip(*live, strict=True)):
            gun = column.index(True) + 1 if any(column) else None
            if gun != self._gun[module]:
                self._gun[module], self._since_ms[module] = gun, now_ms

    def reserved(self, now_ms: int) -> dict[int, int]:
        """The modules that dwell, each with its gun; counted from 1."""
        return {
            module: gun
            for module, (gun, since_ms) in enumerate(
                zip(self._gun, self._since_ms, strict=True), start=1
            )
            if gun is not None and now_ms - since_ms < self._minimum_ms
        }

    def ages_ms(self, now_ms: int) -> list[int]:
        """How long each module that feeds a gun has fed it."""
        return [
            now_ms - since_ms
            for gun, since_ms in zip(self._gun, self._since_ms, strict=True)
            if gun is not None
        ]
