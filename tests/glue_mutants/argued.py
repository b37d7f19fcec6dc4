"""Mutants of the glue that no test can kill, or none should, each with its reason."""

ENABLED_IS_CLOSED = "a module is enabled only where its contactor reads closed (`switching.step`)"
ALL_CLAIMED = "all lines are claimed before anything is switched, in whatever order"
NOTE = "a note tells its kind, the chip's address and the time: not what else is set with it"
APART = "the two have nothing to do with each other: either may come first"
ROUND = "the round goes over all chips, wherever it begins"
HELD_AGAINST_THE_KERNEL = (
    "tests/control/test_controller.py holds it against the kernel's figure, and runs no line of it"
)
FIRST_LOOK = "the first contact in motion after the start is looked over a scan sooner or later"
NOTHING_TOLD = "an offer of next to nothing that has expired is lowered by none"
POISON = "any value that no chip answers here will do"
INSTANT = "at one instant of the clock, to the last bit: this side of it or that"

ARGUED: dict[str, str] = {
    "hardware.modules.__init__: for module, pin in enumerate(enable_pins, 1):"
    ": after what follows": ALL_CLAIMED,
    "hardware.supervision.__init__: if layout.watchdog_device:: after what follows": APART,
    "hardware.supervision.__init__: self._watchdog = self._keep("
    "claim_output('watchdog output', layout.watchdog_pin)): after what follows": APART,
    "hardware.supervision.close: for heart in self._hearts:: after what follows": APART,
    "hardware.heartbeat.__init__: self._address = '\\x00' + address[1:]"
    " if address.startswith('@') else address: after what follows": APART,
    "hardware.heartbeat.beat: self._tell('WATCHDOG=1'): after what follows": APART,
    "hardware.heartbeat.close: self._tell('STOPPING=1'): after what follows": APART,
    "hardware.mcp23017.__init__: self._outputs = _Read(address, GPIO, 6)"
    ": after what follows": APART,
    "hardware.mcp23017.__init__: self._contacts = _Read(address, GPPU, 8)"
    ": after what follows": APART,
    "hardware.mcp23017.__init__: self._contacts_and_directions = _Read(address, GPPU, 12)"
    ": after what follows": APART,
    "hardware.mcp23017._send: self.transactions += 1: after what follows": APART,
    "hardware.mcp23017._NOT_READ: 165 becomes 166": POISON,
    "hardware.mcp23017._NOT_READ: 165 becomes 164": POISON,
    "hardware.expanders.fail: self.lost = True: after what follows": NOTE,
    "hardware.expanders.__init__: super().__init__(device, note): after what follows": APART,
    "hardware.expanders.begin_scan: super().begin_scan(): after what follows": APART,
    "hardware.expanders.begin_scan: super().begin_scan(): after what follows #2": APART,
    "hardware.expanders.look_over: self._odd_settings = registers[:INTF]: after what follows": NOTE,
    "hardware.expanders.look: self.answered = True: after what follows": NOTE,
    "hardware.expanders.look: self._doubt = reading: after what follows": NOTE,
    "hardware.expanders.look: self.word = reading.latch & ~reading.inputs"
    ": after what follows": NOTE,
    "hardware.expanders.look: reading.latch: pins #3": "there the pins show the latches",
    "hardware.expanders.look: reading.latch: pins #4": "there the pins show the latches",
    "hardware.expanders._credible: self._doubt = configuration: after what follows": NOTE,
    "hardware.repair.change: self._failed_at_s = min(self._failed_at_s, clock.now_s())"
    ": after what follows": NOTE,
    "hardware.repair.change: if shown != (word, word):: after what follows": (
        "the others are verified whatever the culprit is"
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
    " station.limit_w, station.policy.minimum_power_w, station.kernel_feeders): arguments 4, 5": (
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
    "hardware.repair.change: chip.suspect = not verified: after what follows": APART,
    "hardware.repair.change: chip.word = word: after what follows": (
        "the others are verified whatever the culprit's word is"
    ),
    "hardware.repair.configure: self.begin(): after what follows": APART,
    "hardware.repair.configure: chip.known = False: after what follows": (
        "nobody asks while it is configured; a success says that it is known"
    ),
    "hardware.repair.configure: if self._out_of_time():: after what follows": APART,
    "hardware.repair._restore: if reading == (word, word, 0):: after what follows": (
        "no reading is both"
    ),
    "hardware.repair._restore: clock.now_s() - begun_s < _UNMOVED_S: LtE": INSTANT,
    "hardware.repair._restore: chip.word = reading.latch & ~reading.inputs"
    ": after what follows": NOTE,
    "hardware.repair._out_of_time: clock.now_s() > self._failed_at_s + _RECOVERY_S: GtE": INSTANT,
    "verified_alloc.control.offers.__init__: 0 becomes 1": NOTHING_TOLD,
    "verified_alloc.control.offers.__init__: 0 becomes -1": NOTHING_TOLD,
    "verified_alloc.control.offers.__init__: 0 becomes 1 #2": NOTHING_TOLD,
    "verified_alloc.control.offers.__init__: 0 becomes -1 #2": NOTHING_TOLD,
    "hardware.contactors._IN_MOTION_SCANS: 3 becomes 4": HELD_AGAINST_THE_KERNEL,
    "hardware.contactors._IN_MOTION_SCANS: 3 becomes 2": HELD_AGAINST_THE_KERNEL,
    "hardware.contactors.__init__: 0 becomes 1 #3": FIRST_LOOK,
    "hardware.contactors.__init__: 0 becomes -1 #3": FIRST_LOOK,
    "hardware.contactors.__init__: if needed > fitted:: after what follows": (
        "what is refused is not made, whatever has been set of it"
    ),
    "hardware.contactors.__init__: self.events: deque[BusEvent] = deque(maxlen=_EVENTS_KEPT)"
    ": after what follows": APART,
    "hardware.contactors.__init__: 0 becomes 1": ROUND,
    "hardware.contactors.__init__: 0 becomes -1": ROUND,
    "hardware.contactors.__init__: 0 becomes 1 #2": ROUND,
    "hardware.contactors.__init__: 0 becomes -1 #2": ROUND,
    "hardware.contactors.start: self._outputs = [OutputChip(MCP23017(buses[bus], address),"
    " notes[bus], pins) for (bus, address), pins in zip(layout.output_expanders,"
    " self._pins_in_use, strict=False)]: after what follows": APART,
    "hardware.contactors.start: self._repairs = {bus: Repair([chip for chip in self._outputs"
    " if chip.device.bus is bus], [chip for chip in self._feedback if chip.device.bus is bus])"
    " for bus in buses.values()}: after what follows": APART,
    "hardware.contactors.start: self._looks = [*((chip, chip.look) for chip in self._feedback),"
    " *((chip, chip.look) for chip in self._outputs),"
    " *((chip, chip.look_again) for chip in self._feedback)]: after what follows": APART,
    "hardware.contactors.read: given_up = self._given_up(): after what follows": APART,
    "hardware.contactors.read: for chip in self._chips():: after what follows": (
        "which looks are due says nothing of what the last scan answered"
    ),
    "hardware.contactors.read: if given_up and self._lost_s < patience_s:"
    ": after what follows": ROUND,
    "hardware.contactors._take: silent: set[Chip] = set(): after what follows": APART,
    "hardware.contactors._take: if self._lost_s >= patience_s:: after what follows": (
        "what is put off takes no time"
    ),
    "hardware.contactors._take: if not done:: after what follows": APART,
    "hardware.contactors._take: chip.note('no answer'): after what follows": NOTE,
    "hardware.contactors._take: silent.add(chip): after what follows": APART,
    "hardware.contactors._try_again: chip.suspect = False: after what follows": NOTE,
    "hardware.contactors.write: for repair in self._repairs.values():: after what follows": APART,
    "hardware.contactors._chips: yield from self._outputs: after what follows": (
        "each chip is got to know by itself, and what is known by then is verified"
    ),
    "hardware.contactors._note: self.counts[kind] += 1: after what follows": APART,
    "hardware.contactors.read: self._reads += 1: after what follows": APART,
    "hardware.contactors.read: for output in self._outputs:: after what follows": APART,
}
"""By name, with the reason. At most 5 % of all mutants may be here."""
