"""Mutants of the glue that no test can kill, or none should, each with its reason."""

ENABLED_IS_CLOSED = "a module is enabled only where its contactor reads closed (`switching.step`)"

ARGUED: dict[str, str] = {
    "hardware.modules.__init__: for module, pin in enumerate(enable_pins, 1):"
    ": after what follows": (
        "all lines are claimed before anything is switched, in whatever order"
    ),
    "verified_alloc.control.wires._coils: range(wiring.BITS_PER_WORD): one less": (
        "no contactor is on GPB7, the highest bit"
    ),
    "verified_alloc.control.controller.start: for module, on in enumerate(on_still, start=1):"
    ": after what follows": "what is on is said before or after the reset, in the same breath",
    "verified_alloc.control.controller.start:"
    " self._wires.carry([scan.Abandon(self._memory.latched.expander_lost)]): after what follows": (
        "what was latched is said before or after, in the same breath"
    ),
    "verified_alloc.control.controller.start: for sentence in describe(self.station,"
    " self.faults.latched):: after what follows": "nothing in it takes time",
    "verified_alloc.control.controller.scan: self._wires.carry(effects): after what follows #3": (
        "the watchdog's edge has no part in whether all was done"
    ),
    "verified_alloc.control.controller._state: memory, live = (self._memory,"
    " by_gun(self._memory.feeding)): after what follows": "two that do not use each other",
    "verified_alloc.control.controller._state: not any(memory.enabled) and"
    " (not any(connected)): without term 1": ENABLED_IS_CLOSED,
    "verified_alloc.control.controller._state: any(memory.enabled): all": ENABLED_IS_CLOSED,
    "verified_alloc.control.controller._state: memory.enabled: strayed": ENABLED_IS_CLOSED,
    "verified_alloc.control.controller._keep: self._memory = memory: after what follows": (
        "both are done when it returns; if one fails, the process ends"
    ),
    "verified_alloc.control.decider.decide: self._wear.note(readings): after what follows": (
        "wear and an end do not use each other"
    ),
    "verified_alloc.control.decider.decide: self._stood, self._worn = (self._stand(readings),"
    " in_steps(self._wear.operations)): after what follows": (
        "what a question is, and since when it is asked, do not use each other"
    ),
    "verified_alloc.control.decider.decide: self._allocation is None or"
    " self._undecided_ms is not None: without term 1": (
        "without an allocation there is something undecided: the first inputs are new"
    ),
    "verified_alloc.control.decider._decided: assert self._undecided_ms is not None"
    ": after what follows": "an assertion for the reader, and for mypy",
    "verified_alloc.control.clearing.check_at_rest: kernel.at_rest(ops,"
    " built.timing.current_decay_ms, lines.enabled[at], lines.reports_on[at],"
    " memory.lines_off_ms[at]): arguments 3, 4": "either of the two is enough not to be at rest",
    "verified_alloc.control.next_deadline.until_ms: age_ms > NOT_SO: LtE": (
        "said the other way round: it counts only whether it is as it was in the scan before"
    ),
    "verified_alloc.decide.allocate.decide: if reserved:: after what follows": (
        "a reason that there is not yet has no part in what is reserved"
    ),
    "verified_alloc.decide.allocate.decide: if accepted(station, left, asked, answer.choice):"
    ": after what follows": "the reason of an answer that is accepted is told to nobody",
    "verified_alloc.decide.allocate.accepted: guard.judge(ops, choice.held, choice.delivered_w,"
    " asked.demand_w, station.gun_max_w, station.module_power_w, left.usable, left.in_service,"
    " station.limit_w): arguments 4, 5": (
        "both bound what is delivered; a gun without demand that holds a module is delivered too"
        " little for it"
    ),
    "verified_alloc.decide.allocate.accepted: left.in_service: usable": (
        "a gun that is out of service can use nothing"
    ),
    "verified_alloc.decide.allocate._staying: dwell.stays(ops, [reserved.get(module) == gun for"
    " module in numbers], left.usable[gun - 1], min(asked.demand_w[gun - 1],"
    " station.gun_max_w[gun - 1]), station.module_power_w): arguments 2, 3": (
        "a module stays that is both reserved and usable, in whatever order"
    ),
    "verified_alloc.decide.allocate._closed: holder: dict[int, int] = {}: after what follows": (
        "nothing is in it until the first module is"
    ),
    "verified_alloc.decide.allocate._closed: holder[module] = gun: after what follows": (
        "who takes the pair goes on to what comes after it"
    ),
}
"""By name, with the reason. At most 5 % of all mutants may be here."""
