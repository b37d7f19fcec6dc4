"""Mutants of the glue that no test can kill, or none should, each with its reason."""

ARGUED: dict[str, str] = {
    "hardware.modules.__init__: for module, pin in enumerate(enable_pins, 1):"
    ": after what follows": (
        "all lines are claimed before anything is switched, in whatever order"
    ),
}
"""By name, with the reason. At most 5 % of all mutants may be here."""
