"""Draws compare.png, the README's picture of a comparison: `python docs/compare_picture.py`."""

from pathlib import Path

from verified_alloc.compare import metrics, plots
from verified_alloc.compare.replay import replay
from verified_alloc.station.model import Station
from verified_alloc.workload.traces import read_trace

POLICIES = ("documented", "max-power")


def main() -> None:
    station = Station.reference()
    trace = read_trace("hour", [gun.id for gun in station.guns])
    with plots.drawing(12, 4.2) as figure:
        for part, policy in zip(figure.subfigures(1, 2), POLICIES, strict=True):
            told = replay(station, trace, policy, window_ms=(0, trace.last_ms))
            axes = plots.draw_day(part, station, told)
            axes.set_title(
                f"{policy}: {metrics.delivered_kwh(told):.0f} kWh,"
                f" {metrics.operations(told)} contactor operations"
            )
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        picture = Path(__file__).with_name("compare.png")
        figure.savefig(picture, dpi=110, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
