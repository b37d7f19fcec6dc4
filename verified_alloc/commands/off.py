"""The command `off`."""

from verified_alloc.commands.options import StationOption, station_of


def off(station: StationOption = None) -> int:
    """Switch every power module off by its enable line, without I2C.

    What the service runs when its process is gone, however it went: on a Raspberry Pi a line keeps
    its level when nobody holds it. A station that runs holds its lines; then nothing is done.

    \b
    verified-alloc off --station site.toml
    """
    from hardware.modules import PowerModuleController

    place = station_of(station)
    place.check_wiring()
    # To claim the lines makes them low.
    PowerModuleController(place.hardware.enable_pins, ()).close()
    print(f"{len(place.modules)} enable lines are low.")
    return 0
