"""A station small and quick enough to prove things about in a moment."""

import pytest

from verified_alloc import Station


@pytest.fixture(scope="session")
def small() -> Station:
    """Three guns, four modules, short times."""
    return Station.from_tables(
        {
            "station": {
                "name": "small",
                "guns": 3,
                "modules": 4,
                "module_power_kw": 40,
                "gun_max_power_kw": 80,
            },
            "timing": {"current_decay_ms": 60, "module_discharge_ms": 200},
        }
    )
