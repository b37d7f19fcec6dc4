"""The README's table of what is proved: those properties that matter most, each in the sentence of
its obligation."""

from proofs import manifest

CHOSEN = (
    "rule.need-is-the-ceiling",
    "rule.one-gun-per-module",
    "rule.gun-cap",
    "rule.higher-demand-first",
    "rule.idle-only-if-met",
    "rule.up-to-demand",
    "rule.no-waste",
    "rule.lowest-number-first",
    "rule.specification-determines-the-output",
    "rule.lexicographic-optimum",
    "rule.documented-scenarios",
    "rule.guard-accepts",
    "guard.exactly-the-seven-conditions",
    "constraint.allows-what-the-guard-accepts",
    "guard.bridge-is-refused",
    "dwell.idle-only-if-met",
    "dwell.none-dwells",
    "scan.invariant-at-start",
    "scan.invariant-is-kept",
    "scan.ages-are-sound",
    "scan.no-second-contactor",
    "scan.joined-are-off",
    "scan.nothing-under-load",
    "scan.enabled-on-its-target",
    "scan.break-before-make",
    "scan.invalid-is-off",
    "scan.fresh-readings",
    "scan.offers-are-borne",
    "scan.planned-removal-waits",
    "scan.site-limit",
    "scan.stop-is-off",
    "scan.latched-stays",
    "scan.discharged-before-closing",
    "scan.order-of-effects",
    "scan.watchdog",
    "switching.off-within-one-scan",
    "switching.reaches-its-target",
    "diagnosis.healthy-is-not-latched",
    "diagnosis.stuck-on-is-locked",
    "healing.configured-at-rest",
    "healing.reset-at-rest",
    "healing.six-times-an-hour",
    "supply.accuses-nobody",
    "latched.excluded",
    "proof_test.begins-at-rest",
    "proof_test.cuts-where-no-current-is",
    "offer.planned-removal",
    "offer.draws-within-promise",
    "feeder.turn",
    "feeder.scan",
    "deadline.nothing-changes-before",
    "wiring.places",
    "wiring.words-decode",
    "wiring.partly-written",
    "wiring.one-bit-wrong",
)
BEGIN = "| property | obligation |\n|---|---|\n"


def table() -> str:
    """The table, as Markdown."""
    there = manifest.obligations()
    rows = [
        f"| {there[name].sentence} | [{name}](proofs/{name.split('.')[0]}.py) |" for name in CHOSEN
    ]
    return BEGIN + "\n".join(rows) + "\n"


def in_page(text: str) -> str:
    """The page with the table as it is now in place of the one that it has."""
    before, _, rest = text.partition(BEGIN)
    after = rest[rest.index("\n\n") + 1 :]
    return before + table() + after
