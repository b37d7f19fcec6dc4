"""A rule engine for DC fast chargers that share a pool of power modules.

from verified_alloc import Station, Faults, allocate

a = allocate(Station.reference(), {1: 160, 3: 120, 5: 80})
a.modules  # {1: (1, 2, 3, 4), 2: (), 3: (5, 6, 7), 4: (), 5: (8, 9), 6: ()}
"""

from verified_alloc.decide.allocate import Allocation, allocate
from verified_alloc.errors import BadInput
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station

__all__ = ["Allocation", "BadInput", "Faults", "Station", "allocate"]
