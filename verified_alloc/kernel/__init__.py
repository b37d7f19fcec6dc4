"""The proved room: pure functions over an algebra. It imports nothing but itself.

Every function takes `ops`, the algebra it computes with. On `kernel.ops` it runs on ints and bools;
on the algebras of `proofs` the same bytecode builds theorems. So nothing here branches on a value:
choices go through `ops.ite`, and `if` or `for` look only at the shape of the station.

Guns and modules are counted from 0 here. Powers are integer watts, times integer milliseconds.
"""
