"""What a person takes out, puts back and clears; refused, in words, while the cause is seen.

Each is given the scan's memory and returns it changed. Guns and modules are counted from 1,
expanders by their position, from 0.
"""

from collections.abc import Sequence

from hardware.modules import LineReading
from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import healing, ops
from verified_alloc.kernel import latched as kernel
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.ops import BoolMatrix
from verified_alloc.kernel.scan import Memory
from verified_alloc.station.model import Station
from verified_alloc.station.parts import number_in


def stopped(memory: Memory) -> Memory:
    """A person stops the station, not by the button."""
    return memory._replace(latched=memory.latched._replace(stopped=True))


def taken_out(memory: Memory, kind: str, number: int, out: bool) -> Memory:
    """A `gun` or a `module` goes out of service, or comes back."""
    latched = memory.latched
    now = {"gun": latched.gun_out, "module": latched.module_out}[kind]
    if not number_in(number, len(now)):
        raise BadInput(f"{kind} {shown(number)}: allowed are {kind}s 1 to {len(now)}")
    if kind == "gun":
        return memory._replace(latched=latched._replace(gun_out=_set(now, number - 1, out)))
    return memory._replace(latched=latched._replace(module_out=_set(now, number - 1, out)))


def contactor(station: Station, memory: Memory, gun: int, module: int) -> Memory:
    """A contactor that was inspected is used again."""
    if not station.has(gun, module):
        raise BadInput(f"contactor {gun}:{module}: there is none; allowed are those of the matrix")
    if not kernel.contactor_agrees(ops, memory.ages[module - 1], gun - 1):
        raise BadInput(
            f"contactor {gun}:{module}: command and auxiliary contact are not seen to agree;"
            " allowed once they are"
        )
    return memory._replace(
        latched=memory.latched._replace(
            welded=_sound(memory.latched.welded, module - 1, gun - 1),
            failed_open=_sound(memory.latched.failed_open, module - 1, gun - 1),
        )
    )


def module(memory: Memory, number: int) -> Memory:
    """A module is used again that was dead or stuck on, or whose enable line was held high."""
    place, latched = number - 1, memory.latched
    if not kernel.line_obeys(memory.stray[place]):
        raise BadInput(f"PM{number}: its enable line is still high although told low")
    if not kernel.reports_off(memory.ages[place]):
        raise BadInput(f"PM{number}: it still reports on although its enable is low")
    return memory._replace(
        latched=latched._replace(
            dead=_set(latched.dead, place, False),
            runs_on=_set(latched.runs_on, place, False),
            enable_high=_set(latched.enable_high, place, False),
            stuck_on=[
                [False] * len(row) if at == place else row
                for at, row in enumerate(latched.stuck_on)
            ],
        )
    )


def check_at_rest(
    built: Built, memory: Memory, lines: LineReading, position: int, name: str
) -> None:
    """Refuse, as `BadInput`, to configure an expander while a module that it carries is not off."""
    for at, carriers in enumerate(built.carriers):
        if position in carriers and not kernel.at_rest(
            ops,
            built.timing.current_decay_ms,
            lines.enabled[at],
            lines.reports_on[at],
            memory.lines_off_ms[at],
        ):
            raise BadInput(f"{name}: PM{at + 1} on it is not off; allowed once it is")


def expander(memory: Memory, position: int) -> Memory:
    """An expander is used again that has been configured anew."""
    return memory._replace(
        silence=[0 if at == position else count for at, count in enumerate(memory.silence)],
        healing=[
            healing.restarted(False) if at == position else each
            for at, each in enumerate(memory.healing)
        ],
        latched=memory.latched._replace(
            expander_lost=_set(memory.latched.expander_lost, position, False)
        ),
    )


def stop(memory: Memory) -> Memory:
    """The station goes on after a stop; the button, if it was that, has been released."""
    return memory._replace(latched=memory.latched._replace(stopped=False, emergency_stop=False))


def _set(bits: Sequence[bool], place: int, value: bool) -> list[bool]:
    return [value if at == place else bit for at, bit in enumerate(bits)]


def _sound(matrix: BoolMatrix, module: int, gun: int) -> list[Sequence[bool]]:
    return [_set(row, gun, False) if at == module else row for at, row in enumerate(matrix)]
