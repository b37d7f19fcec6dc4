"""The command `run`: the run shown while it goes, the summary printed."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial

from verified_alloc.control.state import State
from verified_alloc.journal.recorder import Journal
from verified_alloc.run.loop import MS_PER_DAY, Run
from verified_alloc.run.output import Output
from verified_alloc.run.plan import RunPlan
from verified_alloc.run.real_time import real_time
from verified_alloc.service.start import serving
from verified_alloc.station.model import Station

REFRESH_MS = 200


def run(plan: RunPlan) -> int:
    """Run the station; 0, or 1 if the cabinet's monitor saw a violation. HardwareError where a
    device or a library is not there."""
    station, charger, journal = plan.station, plan.charger, None
    if plan.journal_path is not None:
        journal = Journal(plan.journal_path, station, simulated=charger is not None)
    with ExitStack() as stack:
        watch, note = stack.enter_context(
            _shown(
                station,
                live=plan.pace is not None,
                until_ms=plan.until_ms,
                quiet=plan.as_json,
            )
        )
        note(f"Proof: {plan.proof}")
        if journal is not None:
            journal.report(0, f"proof: {plan.proof}")
        orders = None
        if plan.service is not None:
            orders = stack.enter_context(
                serving(station, plan.proof, plan.service, charger, plan.any_port, note)
            )
        if plan.real_time:
            stack.enter_context(real_time(note if charger is None else _silent))
        summary = Run(
            station,
            charger,
            plan.trace,
            injections=plan.injections,
            longest_skip_ms=_longest_skip_ms(plan.pace, plan.service is not None),
            real_time=plan.real_time,
            faults_path=plan.faults_path,
            journal=journal,
            orders=orders,
            watch=watch,
            note=note,
        ).play(plan.until_ms)
    summary.proof = plan.proof
    if plan.as_json:
        print(json.dumps(asdict(summary)))
    else:
        print("\n".join(summary.lines()))
    return 1 if summary.violations else 0


def _longest_skip_ms(pace: float | None, serving: bool) -> int:
    """As long as nobody would notice: in real time, every scan is made for those who ask."""
    if pace is None:
        return MS_PER_DAY
    return 0 if serving and pace <= 1 else math.ceil(pace * REFRESH_MS)


@contextmanager
def _shown(
    station: Station, *, live: bool, until_ms: int | None, quiet: bool
) -> Iterator[tuple[Callable[[State], None], Callable[[str], None]]]:
    """What a person sees while it runs: the station live, a bar for a replay; where nobody looks,
    a line for every new allocation of a live station, and nothing of a replay."""
    if quiet:
        yield _silent, _silent
    elif live and sys.stdout.isatty():
        from verified_alloc.run.terminal import LiveTable

        with LiveTable(station) as table, Output() as output:
            yield (
                lambda state: output.soon(partial(table.watch, state)),
                lambda sentence: output.soon(partial(table.note, sentence)),
            )
    elif live:
        with Output() as output:
            lines = _LiveLines(output)
            yield lines.watch, lines.note
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("simulated time", total=until_ms)
            yield lambda state: progress.update(task, completed=state.at_ms), _silent
    else:
        yield _silent, _silent


def _silent(_: object) -> None:
    """Nobody looks."""


class _LiveLines:
    """A line for every new state of connection and for every new offer."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._before: object = None

    def note(self, sentence: str) -> None:
        self._output.soon(partial(print, sentence, flush=True))

    def watch(self, state: State) -> None:
        now = (state.live, state.offer_w)
        if now != self._before:
            self._before = now
            fed = [
                f"gun {gun}: PM{','.join(map(str, modules))} {offer_w / 1000:g} kW"
                for gun, (modules, offer_w) in enumerate(
                    zip(state.live, state.offer_w, strict=True), start=1
                )
                if modules
            ]
            self.note(f"{state.at_ms / 1000:.2f} s  {'; '.join(fed) or 'all off'}")
