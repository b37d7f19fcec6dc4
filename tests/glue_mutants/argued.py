"""Mutants of the glue that no test can kill, or none should, each with its reason."""

ARGUED: dict[str, str] = {
    "hardware.modules.__init__: for module, pin in enumerate(enable_pins, 1):"
    ": after what follows": (
        "all lines are claimed before anything is switched, in whatever order"
    ),
    "verified_alloc.control.dwell.__init__: 0 becomes 1": "not looked at until a gun is noted",
    "verified_alloc.control.dwell.__init__: 0 becomes -1": "not looked at until a gun is noted",
    "verified_alloc.control.wires.disable: was and (not stays): without term 1": (
        "a line that is low and told to be is told so again, which changes nothing"
    ),
}
"""By name, with the reason. At most 5 % of all mutants may be here."""
