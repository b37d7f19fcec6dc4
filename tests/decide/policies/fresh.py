"""Prints what some questions are answered, for `test_fresh_processes`."""

import random

from verified_alloc import Station, allocate

REACH = {1: [1, 2, 3, 4], 2: [2, 3, 5, 6], 3: [1, 4, 7, 8, 9], 4: [6, 7, 8], 5: [5, 9], 6: [2, 9]}


def station(sizes: dict[int, int]) -> Station:
    return Station.from_tables(
        {
            "station": {"guns": 6, "modules": 9, "module_power_kw": 40, "gun_max_power_kw": 240},
            "matrix": {"kind": "list", "reach": {str(gun): row for gun, row in REACH.items()}},
            "module": [{"id": module, "power_kw": kw} for module, kw in sizes.items()],
        }
    )


def main() -> None:
    draw = random.Random(7)
    for sizes in ({}, {2: 20, 5: 20, 9: 30}):
        place = station(sizes)
        for _ in range(4):
            demands = {gun: draw.randint(0, 200) for gun in range(1, 7)}
            current = allocate(place, {gun: draw.randint(0, 200) for gun in range(1, 7)}).modules
            wear = {pair: draw.randint(0, 9) for pair in place.contactors}
            for policy in ("priority", "max-power", "fair"):
                a = allocate(place, demands, policy, current, wear=wear)
                print(policy, a.method, a.modules, a.delivered_w, a.operations, a.stages)


if __name__ == "__main__":
    main()
