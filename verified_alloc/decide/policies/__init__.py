"""Who gets which modules: the documented rule and the policies that a solver answers."""
