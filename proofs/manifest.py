"""Every obligation by name: one that is missing, extra or renamed is red."""

from collections.abc import Iterator
from importlib import import_module

from proofs.obligation import Obligation

NAMES: dict[str, tuple[str, ...]] = {
    "feeder": (
        "turn",
        "rule-accepted",
        "turns-make-an-allocation",
        "offers-rise-within",
        "admitted",
        "one-by-one",
        "more-is-more",
        "scan",
    ),
    "rule": (
        "kept",
        "need-is-the-ceiling",
        "need-is-the-documented-one",
        "order-is-only-a-naming",
        "exclusive-whatever-the-powers",
        "one-gun-per-module",
        "usable-and-wanted",
        "gun-cap",
        "higher-demand-first",
        "first-choice",
        "idle-only-if-met",
        "up-to-demand",
        "no-waste",
        "lowest-number-first",
        "guard-accepts",
        "turn-by-turn",
        "grant",
        "grant.no-limit",
        "limit-is-kept",
        "turn-counts",
        "needed-or-all-that-was-left",
        "turn-is-specified",
        "specification-by-turns",
        "specification-determines-the-output",
        "no-more-than-there-is",
        "lexicographic-in-numbers",
        "lexicographic-optimum",
        "documented-scenarios",
        "higher-demand-first.partial",
        "idle-only-if-met.site-limit",
        "fewest-modules.unequal",
        "lexicographic-optimum.partial",
        "any-station.loop",
        "any-station.one-gun-per-module",
        "any-station.no-waste",
        "any-station.up-to-demand",
        "any-station.within-limits",
        "any-station.first-choice",
        "any-station.free-only-falls",
        "any-station.lowest-first",
        "any-station.higher-demand-first",
        "any-station.turn-counts",
        "any-station.lexicographic-optimum",
    ),
    "guard": (
        "at-most-one",
        "one-gun-per-module",
        "usable-contactors",
        "serving-with-demand",
        "delivered-within-means",
        "total-within-limit",
        "useful-or-nothing",
        "within-feeders",
        "exactly-the-seven-conditions",
        "bridge-is-refused",
        "sorted-order",
        "other-look.equal",
        "other-look.unequal",
    ),
    "dwell": (
        "claims",
        "since-it-feeds",
        "reserved",
        "as-long-as-needed",
        "left-to-its-gun",
        "taken-first",
        "idle-only-if-met",
        "none-dwells",
        "higher-demand-first.dwelling",
        "lowest-number-first.dwelling",
    ),
    "scan": (
        "invariant-at-start",
        "ages-are-sound",
        "ages-are-sound.without-A2",
        "ages-are-sound.without-A9",
        "ages-are-sound.without-A10",
        "ages-are-sound.without-A11",
        "invariant-is-kept",
        "no-second-contactor",
        "no-second-contactor.without-A1",
        "no-second-contactor.without-A3",
        "no-second-contactor.without-A4",
        "no-second-contactor.without-A6",
        "nothing-under-load",
        "nothing-under-load.without-A8",
        "nothing-under-load.without-A12",
        "discharged-before-closing",
        "discharged-before-closing.without-A8",
        "discharged-before-closing.without-A12",
        "enabled-on-its-target",
        "enabled-on-its-target.without-A3",
        "enabled-on-its-target.without-A4",
        "enabled-on-its-target.without-A6",
        "switches-to-the-target",
        "break-before-make",
        "break-before-make.without-A1",
        "invalid-is-off",
        "fresh-readings",
        "fresh-readings.without-A16",
        "locked-is-off",
        "bridge-counts",
        "bridge-counts.without-A3",
        "bridge-counts.without-A4",
        "joined-are-off",
        "live-stays-enabled",
        "live-stays-enabled.without-A1",
        "live-stays-enabled.without-A2",
        "live-stays-enabled.without-A10",
        "offers-are-borne",
        "planned-removal-waits",
        "offers-stay-ordered",
        "site-limit",
        "stop-is-off",
        "stops",
        "latched-stays",
        "diagnosed-as-specified",
        "order-of-effects",
        "watchdog",
        "watchdog.without-A2",
        "last-look",
        "built",
        "absent-is-open",
    ),
    "healing": ("configured-at-rest", "reset-at-rest", "six-times-an-hour"),
    "supply": ("none-follows", "accuses-nobody"),
    "latched": (
        "excluded",
        "contactor-is-cleared-for-cause",
        "module-is-cleared-for-cause",
        "expander-is-configured-at-rest",
    ),
    "proof_test": ("begins-at-rest", "cuts-where-no-current-is", "enables-nothing"),
    "deadline": (
        "first-of-all",
        "nothing-changes-before",
    ),
    "switching": (
        "no-second-contactor-blind",
        "no-second-contactor-blind.without-A1",
        "no-second-contactor-blind.without-A5",
        "bridged-by-the-wire",
        "one-gun-at-most",
        "live-on-one-gun",
        "enabled-blind",
        "off-within-one-scan",
        "live-is-fed",
        "overdue",
        "as-specified",
        "reaches-its-target",
        "starts-at-rest",
        "every-mode",
    ),
    "diagnosis": (
        "settled-takes-two-scans",
        "invalid-forgets",
        "healthy-is-not-latched",
        "healthy-is-not-latched.without-A7",
        "healthy-is-not-latched.without-A13",
        "four-good-scans-for-a-bad-one",
        "limit",
        "room-for-one-flip",
        "stuck-is-latched",
        "ages-as-specified",
        "faults-as-specified",
        "latched-for-cause",
        "stuck-on-is-locked",
        "locked-for-cause",
        "usable-after",
    ),
    "offer": (
        "draws-within-promise",
        "draws-within-promise.without-A14",
        "draws-within-promise.without-A15",
        "promise-is-remembered",
        "promise-is-remembered.without-A11",
        "restart-promises-all",
        "falls-at-once",
        "gun-maximum",
        "planned-removal",
        "hold",
        "hold-is-exclusive",
        "hold-lets-go",
        "module-cap",
        "module-cap.any-station",
        "handover-ends",
        "follows-from-rest",
    ),
    "wiring": (
        "places",
        "words-decode",
        "allocation-decodes",
        "may-not-switch",
        "partly-written",
        "readings-cover-the-module",
        "one-bit-wrong",
    ),
    "invariants": (
        "granted",
        "counting",
        "one-gun-per-module",
        "gun-cap",
        "up-to-demand",
        "no-waste",
        "needed-or-all-that-was-left",
        "higher-demand-first",
        "idle-only-if-met",
        "lowest-number-first",
    ),
    "constraint": (
        "allows-what-the-guard-accepts",
        "allows-what-the-guard-accepts.partial",
        "allows-what-the-guard-accepts.site-limit",
        "each-stage-keeps-its-optimum",
    ),
    "enumeration": (
        "every-need-and-availability-1",
        "every-need-and-availability-2",
        "every-need-and-availability-3",
        "every-need-and-availability-4",
        "random-points-1",
        "random-points-2",
        "random-points-3",
        "random-points-4",
        "algebras-agree",
    ),
}
"""The short names by file of `proofs`."""


def ids() -> list[str]:
    """All ids that there must be."""
    return [f"{file}.{name}" for file, names in NAMES.items() for name in names]


def obligations() -> dict[str, Obligation]:
    """All obligations that there are, by id."""
    found: dict[str, Obligation] = {}
    for file in NAMES:
        for obligation in import_module(f"proofs.{file}").OBLIGATIONS:
            found.setdefault(obligation.id, obligation)
    return found


def differences() -> Iterator[tuple[str, str]]:
    """Where the files and this list disagree: an id, and what is wrong with it."""
    listed = set(ids())
    seen: set[str] = set()
    for file in NAMES:
        for obligation in import_module(f"proofs.{file}").OBLIGATIONS:
            if obligation.id in seen:
                yield obligation.id, "twice"
            elif obligation.id not in listed:
                yield obligation.id, "not in the manifest"
            elif not obligation.id.startswith(f"{file}."):
                yield obligation.id, f"in {file}, not of that name"
            seen.add(obligation.id)
    for missing in sorted(listed - seen):
        yield missing, "in the manifest, but in no file"
