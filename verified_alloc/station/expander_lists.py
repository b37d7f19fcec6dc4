"""The expanders as a station file lists them: addresses where there is one bus, a list of addresses
for each where there are several."""

from collections.abc import Iterator, Mapping
from typing import Any

from verified_alloc.errors import BadInput, shown
from verified_alloc.station.parts import Expander, Hardware

FIRST_ADDRESS, LAST_ADDRESS = 0x20, 0x27  # of an MCP23017

KEYS = ("output_expanders", "feedback_expanders")


def read(table: Mapping[str, Any]) -> dict[str, tuple[Expander, ...]]:
    """By key the expanders of such a table, bus after bus. `BadInput` names what is refused."""
    placed = {key: list(_placed(key, table[key], table["i2c_bus"])) for key in KEYS}
    outputs, feedbacks = placed.values()
    if not outputs:
        raise BadInput(
            f"hardware.output_expanders = {shown(list(table['output_expanders']))}: allowed is at"
            " least one address"
        )
    if len(feedbacks) != len(outputs):
        raise BadInput(
            f"hardware.feedback_expanders has {len(feedbacks)} addresses: allowed are"
            f" {len(outputs)}, one for each of hardware.output_expanders"
        )
    users: dict[Expander, str] = {}
    for place, expander in (*outputs, *feedbacks):
        if expander in users:
            once = "once" if isinstance(table["i2c_bus"], int) else "once on each bus"
            raise BadInput(
                f"{place} = {expander.address:#04x}: already {users[expander]};"
                f" allowed is an address {once}"
            )
        users[expander] = place
    return {key: tuple(expander for _, expander in each) for key, each in placed.items()}


def _placed(
    key: str, value: object, i2c_bus: int | tuple[int, ...]
) -> Iterator[tuple[str, Expander]]:
    """Each expander with its place in the file."""
    path = f"hardware.{key}"
    if not isinstance(value, list | tuple):
        raise BadInput(f"{path} = {shown(value)}: allowed is a list")
    if isinstance(i2c_bus, int):
        rows = [(path, i2c_bus, value)]
    else:
        if len(value) != len(i2c_bus) or not all(isinstance(row, list | tuple) for row in value):
            raise BadInput(
                f"{path} = {shown(value)}: allowed is a list of {len(i2c_bus)} lists of addresses,"
                " one for each bus of hardware.i2c_bus"
            )
        rows = [(f"{path}[{n}]", *row) for n, row in enumerate(zip(i2c_bus, value, strict=True), 1)]
    for row_path, bus, addresses in rows:
        for place, address in enumerate(addresses, start=1):
            if type(address) is not int or not FIRST_ADDRESS <= address <= LAST_ADDRESS:
                raise BadInput(
                    f"{row_path}[{place}] = {shown(address)}: allowed is addresses"
                    f" {FIRST_ADDRESS:#04x} to {LAST_ADDRESS:#04x}"
                )
            yield f"{row_path}[{place}]", Expander(bus, address)


def written(hardware: Hardware) -> dict[str, Any]:
    """The other way: such a table."""
    lists = {
        key: [[at for on, at in getattr(hardware, key) if on == bus] for bus in hardware.i2c_buses]
        for key in KEYS
    }
    if len(hardware.i2c_buses) == 1:
        return {"i2c_bus": hardware.i2c_buses[0], **{key: each for key, (each,) in lists.items()}}
    return {"i2c_bus": list(hardware.i2c_buses), **lists}
