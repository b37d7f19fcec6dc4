"""What was seen, in the words of the interface."""

from importlib.metadata import version
from itertools import chain
from typing import Literal

from verified_alloc.control.fault_kinds import (
    KINDS,
    Fault,
    in_order,
    name_of,
    sentence_of,
    to_do_about,
)
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.fault_costs import capability_w, cost_of, lost_modules
from verified_alloc.service.limit_views import LimitViews
from verified_alloc.service.models import (
    AssignedGun,
    Assignment,
    ContactorView,
    Decision,
    FaultCost,
    FaultView,
    GunView,
    KeptModule,
    ModuleView,
    NoteView,
    Offers,
    OfferView,
    ProofTestView,
    ScanView,
    SiteLimitView,
    StateView,
    StationView,
)
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.zone import zone
from verified_alloc.station.model import Station

Condition = Literal["usable", "out of service", "failed", "expander lost"]
SEVERITIES = ("critical", "serious", "minor")
WMS_PER_KWH = 3_600_000_000
MODULES_OWN = {"dead", "stuck_on", "runs_on", "enable_high"}


class Views:
    """Paints what was seen of one station, with the explanations that are known."""

    def __init__(
        self,
        station: Station,
        proof: str,
        simulated: bool,
        explainer: Explainer,
        history: bool = False,
    ) -> None:
        self._station = station
        self._explainer = explainer
        self._proof = proof
        self._simulated = simulated
        self._history = history
        self.limits = LimitViews(station)
        self.zone = zone()
        self.version = version("verified-alloc")
        self.mqtt_trouble = ""
        """Why nothing is told or heard by MQTT, if it is for people to see to."""

    def station(self, started_s: float) -> StationView:
        """What does not change."""
        station = self._station
        return StationView(
            name=station.name,
            simulated=self._simulated,
            version=self.version,
            proof=self._proof,
            guns=len(station.guns),
            modules=len(station.modules),
            matrix=station.matrix.kind,
            reach=[list(row) for row in station.matrix.reach],
            policy=station.policy.name,
            scan_ms=station.timing.scan_ms,
            offer_lead_ms=station.timing.offer_lead_ms,
            demand_timeout_s=station.timing.demand_timeout_s,
            started_at=started_s,
            zone=self.zone,
            history=self._history,
        )

    def state(self, seen: Snapshot, healthy: bool) -> StateView:
        """Everything."""
        state = seen.state
        alarms = [*state.alarms, *filter(None, (self.mqtt_trouble,))]
        return StateView(
            sequence=seen.scans,
            at=seen.at_s,
            phase="ending" if seen.ending else "running",
            healthy=healthy,
            stopped=state.stopped,
            station=self.station(seen.started_s),
            scan=ScanView(
                count=seen.scans,
                verified=state.verified,
                unverified=seen.unverified,
                late_ms=round(seen.lateness.latest_ms, 3),
                most_late_ms=round(seen.lateness.most_ms, 3),
            ),
            guns=self.guns(seen),
            modules=self.modules(seen),
            contactors=self.contactors(seen),
            faults=self.faults(seen),
            proof_tests=self.proof_tests(seen),
            assignment=self.assignment(seen),
            site_limit=self.site_limit(seen),
            policy=state.policy,
            limits=self.limits.now(seen.limits),
            offer_lifetime_ms=self._station.timing.offer_lead_ms,
            alarms=alarms,
            why=[*alarms, *self._explainer.why(seen).station],
            notes=[NoteView.of(*note) for note in seen.notes],
        )

    def guns(self, seen: Snapshot) -> list[GunView]:
        """Every gun."""
        state, explained = seen.state, self._explainer.why(seen)
        capable_w = self._capability_w(seen)
        views = []
        for gun in self._station.guns:
            place = gun.id - 1
            live = state.live[place]
            drawn = None if seen.drawn_w is None else seen.drawn_w[place] / 1000
            kept, granted_w = state.kept.get(gun.id), state.allocation.delivered_w[gun.id]
            views.append(
                GunView(
                    gun=gun.id,
                    maximum_kw=gun.max_power_w / 1000,
                    demand_kw=state.asks_w[place] / 1000,
                    stale=gun.id in state.stale,
                    capability_kw=capable_w[place] / 1000,
                    granted_kw=granted_w / 1000,
                    offer_kw=state.offer_w[place] / 1000,
                    live_kw=self._power_w(live) / 1000,
                    drawn_kw=drawn,
                    limit_kw=_kw(seen.limits.allowed.gun_w[place]),
                    unmet_kw=(min(state.asks_w[place], gun.max_power_w) - granted_w) / 1000,
                    energy_kwh=round(seen.energy_wms[place] / WMS_PER_KWH, 3),
                    modules=list(state.allocation.modules[gun.id]),
                    live=list(live),
                    in_service=Fault("gun_out", gun=gun.id) not in seen.state.latched,
                    locked=gun.id in state.locked,
                    held_s=seen.state.held_ms[place] / 1000,
                    kept=[] if kept is None else list(kept.modules),
                    kept_until_at=None
                    if kept is None
                    else round(seen.at_s + (kept.until_ms - state.at_ms) / 1000),
                    why=list(explained.guns[gun.id]),
                )
            )
        return views

    def modules(self, seen: Snapshot) -> list[ModuleView]:
        """Every power module."""
        out = seen.state.faults.modules
        latched = seen.state.latched
        lost = lost_modules(self._station, latched)

        def condition(module: int) -> Condition:
            of_it = [one for one in latched if one.module == module]
            kinds = {one.kind for one in of_it}
            pairs = [
                (one.gun, one.module) for one in of_it if one.kind in ("welded", "failed_open")
            ]
            if "module_out" in kinds:
                return "out of service"
            if kinds & MODULES_OWN or len(pairs) > len(set(pairs)):  # its contact lied both ways
                return "failed"
            return "expander lost" if module in out or lost[module - 1] else "usable"

        holder = _by_module(seen.state.allocation.modules)
        feeding = _by_module(dict(enumerate(seen.state.live, start=1)))
        return [
            ModuleView(
                module=module.id,
                power_kw=module.power_w / 1000,
                assigned_to=holder.get(module.id),
                feeds=feeding.get(module.id),
                in_service=Fault("module_out", module=module.id) not in seen.state.latched,
                usable=module.id not in out,
                condition=condition(module.id),
            )
            for module in self._station.modules
        ]

    def contactors(self, seen: Snapshot) -> list[ContactorView]:
        """Every contactor, in the order of the wiring."""
        state = seen.state
        return [
            ContactorView(
                gun=gun,
                module=module,
                closed=module in state.connected[gun - 1],
                live=module in state.live[gun - 1],
                assigned=module in state.allocation.modules[gun],
                welded=Fault("welded", gun, module) in seen.state.latched,
                failed_open=Fault("failed_open", gun, module) in seen.state.latched,
                operations=seen.state.operations.get((gun, module), 0),
            )
            for gun, module in self._station.contactors
        ]

    def proof_tests(self, seen: Snapshot) -> list[ProofTestView]:
        """The safety chain: what was tested when, and what is due."""
        state = seen.state
        return [ProofTestView.of(*each, each.test == state.testing) for each in state.tests]

    def faults(self, seen: Snapshot) -> list[FaultView]:
        """Everything latched that is cleared by a name, each name once: not what was taken out of
        service."""
        station, state = self._station, seen.state
        views = []
        for name, faults in self.latched_by_name(state.latched).items():
            cost = cost_of(station, state.latched, frozenset(faults), self._limit_w(seen))
            since_s = [seen.fault_since_s.get(fault) for fault in faults]
            views.append(
                FaultView(
                    id=name,
                    text="; ".join(sentence_of(station, fault) for fault in faults),
                    severity=min(
                        (KINDS[fault.kind].severity for fault in faults), key=SEVERITIES.index
                    ),
                    since_at=None if None in since_s else min(s for s in since_s if s is not None),
                    costs=[
                        FaultCost(gun=gun, lost_kw=lost_w / 1000)
                        for gun, lost_w in enumerate(cost.guns_w, start=1)
                        if lost_w > 0
                    ],
                    costs_kw=cost.all_w / 1000,
                    keeps=[
                        KeptModule(module=module, guns=list(guns))
                        for module, guns in enumerate(cost.kept_from, start=1)
                        if guns
                    ],
                    effect="; ".join(dict.fromkeys(KINDS[fault.kind].effect for fault in faults)),
                    to_do=" ".join(dict.fromkeys(to_do_about(station, fault) for fault in faults)),
                    acknowledged_at=seen.acknowledged_s.get(name),
                )
            )
        return views

    def latched_by_name(self, latched: frozenset[Fault]) -> dict[str, list[Fault]]:
        """The faults by what they are cleared by."""
        named: dict[str, list[Fault]] = {}
        for fault in in_order(latched):
            if name := name_of(self._station, fault):
                named.setdefault(name, []).append(fault)
        return named

    def assignment(self, seen: Snapshot) -> Assignment:
        """Which modules are to feed which gun."""
        allocation = seen.state.allocation
        return Assignment(
            sequence=seen.assignment,
            since_at=seen.assigned_s,
            policy=allocation.policy,
            fallback_from=allocation.fallback_from,
            optimal=allocation.optimal,
            guns=[
                AssignedGun(
                    gun=gun, modules=list(modules), granted_kw=allocation.delivered_w[gun] / 1000
                )
                for gun, modules in allocation.modules.items()
            ],
            idle_modules=list(allocation.idle_modules),
        )

    def decision(self, seen: Snapshot) -> Decision:
        """The latest assignment, and why."""
        explained, inputs = self._explainer.why(seen), seen.state.inputs
        return Decision(
            assignment=self.assignment(seen),
            demands_kw=[demand_w / 1000 for demand_w in inputs.asked.demand_w],
            site_limit_kw=_kw(inputs.site_limit_w),
            why=[*chain.from_iterable(explained.guns.values()), *explained.station],
        )

    def offers(self, seen: Snapshot | None) -> Offers:
        """What the guns may draw; nothing where nobody controls them."""
        offer_w = (0,) * len(self._station.guns) if seen is None else seen.state.offer_w
        return Offers(
            sequence=0 if seen is None else seen.scans,
            at=0 if seen is None else seen.at_s,
            lifetime_ms=self._station.timing.offer_lead_ms,
            online=seen is not None,
            offers=[
                OfferView(gun=gun, offer_kw=power_w / 1000)
                for gun, power_w in enumerate(offer_w, start=1)
            ],
        )

    def site_limit(self, seen: Snapshot) -> SiteLimitView:
        """The limit in force, and where it comes from."""
        return SiteLimitView(
            limit_kw=_kw(seen.state.inputs.site_limit_w),
            own_kw=_kw(self._station.site_limit_w),
            rises_at=seen.limit_rises_s,
            dc_kw=_kw(self._limit_w(seen)),
            offered_kw=self._station.counted_w(sum(seen.state.offer_w)) / 1000,
            grid_kw=self._station.grid_w(sum(seen.state.offer_w)) / 1000,
        )

    def _limit_w(self, seen: Snapshot) -> int | None:
        """What the site limit leaves the guns."""
        limit_w = seen.state.inputs.site_limit_w
        return None if limit_w is None else self._station.dc_w(limit_w)

    def _capability_w(self, seen: Snapshot) -> list[int]:
        """By gun, what it could be given as things are, were nobody else there."""
        state = seen.state
        alone_w = capability_w(self._station, state.faults, self._limit_w(seen))
        pairs = zip(alone_w, seen.limits.allowed.gun_w, strict=True)
        return [
            0
            if state.stopped or gun in state.locked
            else power_w
            if limit_w is None
            else min(power_w, limit_w)
            for gun, (power_w, limit_w) in enumerate(pairs, start=1)
        ]

    def _power_w(self, modules: "list[int] | tuple[int, ...]") -> int:
        return sum(self._station.module_power_w[module - 1] for module in modules)


def _by_module(by_gun: "dict[int, tuple[int, ...]]") -> dict[int, int]:
    return {module: gun for gun, modules in by_gun.items() for module in modules}


def _kw(power_w: int | None) -> float | None:
    return None if power_w is None else power_w / 1000
