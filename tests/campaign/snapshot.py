"""Everything that a station at work remembers, kept, and put back: a branch without a new process.

All mutable objects that can be reached are found once; to go back is to give each its content of
then. Forking does the same, twenty times slower.
"""

import ctypes
import random
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from gpiozero.pins import BoardInfo, HeaderInfo, PinInfo

from verified_alloc.station.model import Station

CONSTANT = (
    *(str, bytes, int, float, type(None), type, range, weakref.ref, types.ModuleType),
    *(types.BuiltinFunctionType, types.GeneratorType, ExitStack),
    *(ctypes.Array, ctypes.Structure),  # transfer buffers: filled before they are looked at
    *(BoardInfo, HeaderInfo, PinInfo, Station),
)
LOCKS = ("_thread", "threading")


class Snapshot:
    """The content of every mutable object that can be reached from these."""

    def __init__(self, *roots: object) -> None:
        self._restorers: list[tuple[Callable[..., None], Any, Any]] = []
        seen: dict[int, object] = {}
        waiting: list[object] = list(roots)
        while waiting:
            thing = waiting.pop()
            if isinstance(thing, CONSTANT) or id(thing) in seen:
                continue
            seen[id(thing)] = thing
            waiting += self._keep(thing)
        self._seen = seen  # keeps them alive, and so their ids their own

    def restore(self) -> None:
        for restore, thing, content in self._restorers:
            restore(thing, content)

    def _keep(self, thing: Any) -> list[object]:
        """Keep what it holds, and say what else there is to look at."""
        if isinstance(thing, bytearray | list):
            self._restorers.append((_fill, thing, thing[:]))
            return [] if isinstance(thing, bytearray) else thing
        if isinstance(thing, dict):
            self._restorers.append((_refill, thing, dict(thing)))
            return [*thing, *thing.values()]
        if isinstance(thing, set | deque):
            self._restorers.append((_replenish, thing, list(thing)))
            return list(thing)
        if isinstance(thing, tuple | frozenset):
            return list(thing)
        if isinstance(thing, types.MethodType):
            return [thing.__self__]
        if isinstance(thing, types.FunctionType):
            return [cell.cell_contents for cell in thing.__closure__ or ()]
        if isinstance(thing, partial):
            return [thing.func, *thing.args, *thing.keywords.values()]
        if isinstance(thing, random.Random):
            self._restorers.append((random.Random.setstate, thing, thing.getstate()))
            return []
        if type(thing).__module__ in LOCKS:
            return []
        slots = [
            (name, getattr(thing, name)) for name in _slots(type(thing)) if hasattr(thing, name)
        ]
        if slots:
            self._restorers.append((_set_slots, thing, slots))
        held = getattr(thing, "__dict__", None)
        return [value for _, value in slots] + ([held] if isinstance(held, dict) else [])


def _fill(thing: Any, content: Any) -> None:
    thing[:] = content


def _refill(thing: dict[Any, Any], content: dict[Any, Any]) -> None:
    thing.clear()
    thing.update(content)


def _replenish(thing: Any, content: list[Any]) -> None:
    thing.clear()
    (thing.update if isinstance(thing, set) else thing.extend)(content)


def _set_slots(thing: object, slots: list[tuple[str, object]]) -> None:
    for name, value in slots:
        object.__setattr__(thing, name, value)


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        names = vars(base).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                yield f"_{base.__name__.lstrip('_')}{name}" if private else name
