"""The physical plant, its independent judge, and register-faithful expanders behind smbus2."""
