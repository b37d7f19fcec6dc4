"""What Prometheus reads."""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from verified_alloc.control.fault_kinds import KINDS
from verified_alloc.control.idle_tests import ProofTest
from verified_alloc.control.proof_tests import FAILED
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.snapshot import LATENESS_BOUNDS_MS, Snapshot
from verified_alloc.station.model import Station

PREFIX = "verified_alloc_"


class Metrics:
    """Read off what was seen last, at each scrape."""

    def __init__(self, station: Station, link: ScanLink) -> None:
        self._station = station
        self._link = link
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Nothing beforehand: nothing has been seen yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics now."""
        link = self._link
        yield _gauge("healthy", "As /healthz: 0 where only a restart can help", float(link.healthy))
        yield _gauge("mqtt_connected", "1 while connected to the MQTT broker", link.connected)
        yield _total(
            "mqtt_connects", "Connections to the MQTT broker since the start", link.connects
        )
        yield _counter(
            "refused", "What was turned away at the door, by reason", "reason", link.refused
        )
        yield _counter("orders", "Orders that the scan has taken, by kind", "order", link.accepted)
        if link.seen is not None:
            yield from self._of_station(link.seen)

    def _of_station(self, seen: Snapshot) -> Iterator[Metric]:
        state = seen.state
        yield _lateness(seen)
        yield _total("scans", "Scans since the start", seen.scans)
        yield _total("unverified_scans", "Scans whose writes were not verified", seen.unverified)
        yield _total("assignments", "Assignments since the start", seen.assignment)
        yield _gauge("stopped", "1 while everything is off until that is cleared", state.stopped)
        yield _gauge("seen_seconds", "Unix time of the latest scan", seen.at_s)
        to_clear = [fault for fault in seen.state.latched if KINDS[fault.kind].name]
        yield _gauge("faults", "Latched faults", len(to_clear))
        if state.inputs.site_limit_w is not None:
            yield _gauge("site_limit_watts", "The limit in force", state.inputs.site_limit_w)
        yield from _proof_tests(state.tests)
        guns = [str(gun.id) for gun in self._station.guns]
        by_gun = {
            "demand_watts": ("What the gun asks for; 0 once stale", state.asks_w),
            "granted_watts": (
                "What the assignment gives it",
                tuple(state.allocation.delivered_w.values()),
            ),
            "offer_watts": ("What it may draw", state.offer_w),
            "unmet_watts": (
                "What it asks for up to its maximum and is not given",
                tuple(state.allocation.unmet_w.values()),
            ),
        }
        by_gun["contactor_operations_per_hour"] = (
            "Makes and breaks of its contactors in the last hour",
            seen.operations_an_hour,
        )
        if seen.drawn_w is not None:
            by_gun["drawn_watts"] = ("What its simulated vehicle draws", seen.drawn_w)
        for name, (meaning, values) in by_gun.items():
            family = GaugeMetricFamily(PREFIX + name, meaning, labels=["gun"])
            for gun, value in zip(guns, values, strict=True):
                family.add_metric([gun], float(value))
            yield family
        fell = CounterMetricFamily(
            PREFIX + "offers_fell_to_zero",
            "Offers that fell to 0 while the gun asked",
            labels=["gun"],
        )
        for gun, times in zip(guns, seen.fell_to_0, strict=True):
            fell.add_metric([gun], times)
        yield fell
        energy = CounterMetricFamily(
            PREFIX + "energy_joules",
            "What it was given: offered, as far as modules fed it; nothing is metered",
            labels=["gun"],
        )
        for gun, energy_wms in zip(guns, seen.energy_wms, strict=True):
            energy.add_metric([gun], energy_wms / 1000)
        yield energy
        operations = CounterMetricFamily(
            PREFIX + "contactor_operations", "Makes and breaks", labels=["gun", "module"]
        )
        for pair in self._station.contactors:
            operations.add_metric([*map(str, pair)], seen.state.operations.get(pair, 0))
        yield operations


def _proof_tests(tests: Sequence[ProofTest]) -> Iterator[Metric]:
    kinds: Sequence[tuple[str, str, Callable[[ProofTest], float]]] = (
        (
            "passed_seconds",
            "Unix time at which it passed last; 0: never",
            lambda t: t.passed_s or 0,
        ),
        ("failed", "1 while its latest run has failed", lambda t: t.verdict == FAILED),
        ("overdue", "1 while it has not passed within twice its interval", lambda t: t.overdue),
    )
    for name, meaning, value in kinds:
        family = GaugeMetricFamily(f"{PREFIX}proof_test_{name}", meaning, labels=["test"])
        for test in tests:
            family.add_metric([test.test], float(value(test)))
        yield family


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, meaning, value=float(value))


def _total(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, meaning, value=float(value))


def _counter(name: str, meaning: str, label: str, counts: "dict[str, int]") -> Metric:
    family = CounterMetricFamily(PREFIX + name, meaning, labels=[label])
    for reason, count in sorted(counts.items()):
        family.add_metric([reason], count)
    return family


def _lateness(seen: Snapshot) -> Metric:
    """How late scans begin."""
    buckets, total = [], 0
    for bound_ms, count in zip(LATENESS_BOUNDS_MS, seen.lateness.counts, strict=False):
        total += count
        buckets.append((f"{bound_ms / 1000:g}", float(total)))
    buckets.append(("+Inf", float(sum(seen.lateness.counts))))
    return HistogramMetricFamily(
        PREFIX + "scan_lateness_seconds",
        "How late scans begin",
        buckets=buckets,
        sum_value=seen.lateness.sum_ms / 1000,
    )
