"""The live station: effects of the proved scan carried to the wires."""
