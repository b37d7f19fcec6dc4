"""What one sees of the whole rule: one property and one plain sentence each."""

from typing import Any

from proofs.lemmas.rule_inputs import Scene, judged
from verified_alloc.kernel import guard, invariants, rule


def exclusive(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A module is on one gun at most."""
    return invariants.one_gun_per_module(over, choice.held)


def usable_and_wanted(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Only usable contactors, only guns with demand."""
    return over.and_(
        guard.only_usable(over, choice.held, scene.usable),
        guard.only_wanted(over, choice.held, scene.demand_w, scene.in_service),
    )


def gun_cap(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A gun never holds more than its maximum needs, nor is given more than its maximum."""
    return over.and_(
        invariants.gun_cap(over, choice.held, scene.gun_max_w, scene.module_power_w),
        *[
            over.or_(power <= maximum, power <= 0)
            for power, maximum in zip(choice.delivered_w, scene.gun_max_w, strict=True)
        ],
    )


def priority(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Higher demand first."""
    return invariants.higher_demand_first(
        over, scene.order, choice.delivered_w, scene.granted_w(over)
    )


def first_choice(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Whoever is short left nothing that it could use to those after it, nor to nobody."""
    granted_w = scene.granted_w(over)
    return over.and_(
        *[
            over.or_(
                over.not_(scene.usable[gun][module]),
                choice.delivered_w[gun] >= granted_w[gun],
                over.or_(*[choice.held[holder][module] for holder in range(gun + 1)]),
            )
            for gun in scene.order
            for module in range(len(scene.module_power_w))
        ]
    )


def idle_only_if_met(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A module idles only when everyone who could use it is met."""
    return invariants.idle_only_if_met(
        over, choice.held, choice.delivered_w, scene.granted_w(over), scene.usable
    )


def up_to_demand(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """A gun is given the power of its modules, up to what it may have."""
    return invariants.up_to_demand(
        over, choice.held, choice.delivered_w, scene.granted_w(over), scene.module_power_w
    )


def no_waste(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """No last module that is not needed."""
    return invariants.no_waste(over, choice.held, choice.delivered_w, scene.module_power_w)


def lowest_first(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """Lowest number first."""
    return invariants.lowest_number_first(over, scene.order, choice.held, scene.usable)


def accepted(over: Any, scene: Scene, choice: rule.Choice) -> Any:
    """The guard's conditions; the fifth, the limit, is `rule.limit-is-kept`."""
    return over.and_(*judged(over, scene, choice)._replace(within_limit=True))
