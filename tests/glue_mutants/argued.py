"""Mutants of the glue that no test can kill, or none should, each with its reason."""

ALL_CLAIMED = "all lines are claimed before anything is switched, in whatever order"
NOTE = "a note tells its kind, the chip's address and the time: not what else is set with it"
APART = "the two have nothing to do with each other: either may come first"
ROUND = "the round goes over all chips, wherever it begins"
TYPES = "the assertion tells only the type checker"
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
    "hardware.mcp23017._transfer: self.transactions += 1: after what follows": APART,
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
    "hardware.contactors.__init__: if needed > fitted:: after what follows": (
        "what is refused is not made, whatever has been set of it"
    ),
    "hardware.contactors.__init__: self.events: deque[BusEvent] = deque(maxlen=_EVENTS_KEPT)"
    ": after what follows": APART,
    "hardware.contactors.__init__: 0 becomes 1": ROUND,
    "hardware.contactors.__init__: 0 becomes -1": ROUND,
    "hardware.contactors.__init__: 0 becomes 1 #2": ROUND,
    "hardware.contactors.__init__: 0 becomes -1 #2": ROUND,
    "hardware.contactors.start: assert bus is not None: after what follows": TYPES,
    "hardware.contactors.start: self._outputs = [OutputChip(MCP23017(bus, at), self._note, pins)"
    " for at, pins in zip(layout.output_expanders, self._pins_in_use, strict=False)]"
    ": after what follows": APART,
    "hardware.contactors.start: self._looks = [*((chip, chip.look) for chip in self._feedback),"
    " *((chip, chip.look) for chip in self._outputs),"
    " *((chip, chip.look_again) for chip in self._feedback)]: after what follows": APART,
    "hardware.contactors.read: given_up = self._given_up(): after what follows": APART,
    "hardware.contactors.read: for chip in self._chips():: after what follows": (
        "which looks are due says nothing of what the last scan answered"
    ),
    "hardware.contactors.read: if given_up and clock.now_s() < deadline_s:"
    ": after what follows": ROUND,
    "hardware.contactors._take: if clock.now_s() >= deadline_s:: after what follows": (
        "what is put off takes no time"
    ),
    "hardware.contactors._take: if not done:: after what follows": APART,
    "hardware.contactors._take: chip.note('no answer'): after what follows": NOTE,
    "hardware.contactors._take: silent.add(chip): after what follows": APART,
    "hardware.contactors._try_again: chip.suspect = False: after what follows": NOTE,
    "hardware.contactors.answering: assert self._bus is not None: after what follows": TYPES,
    "hardware.contactors.write: self._repair.begin(): after what follows": APART,
    "hardware.contactors._chips: yield from self._outputs: after what follows": (
        "each chip is got to know by itself, and what is known by then is verified"
    ),
    "hardware.contactors._note: self.counts[kind] += 1: after what follows": APART,
    "hardware.contactors.read: self._reads += 1: after what follows": APART,
    "hardware.contactors.read: for output in self._outputs:: after what follows": APART,
}
"""By name, with the reason. At most 5 % of all mutants may be here."""
