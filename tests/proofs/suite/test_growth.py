"""The table of times says what was measured, and what was not decided."""

from proofs import manifest
from proofs.suite import growth
from proofs.suite.prove import GREEN


def test_an_obligation_is_timed_or_late() -> None:
    result = growth.timed("guard.at-most-one", "3x4")
    assert result is not None
    assert result.state == GREEN
    assert growth.timed("enumeration.every-need-and-availability-1", "6x9", 1) is None


def test_what_is_late_is_told() -> None:
    done = growth.timed("constraint.each-stage-keeps-its-optimum", "2x3")
    assert done is not None
    results = {(f"constraint.{name}", "2x3"): None for name in manifest.NAMES["constraint"]}
    late = f"({len(results)} beyond {growth.LIMIT_S} s)"
    assert late in growth.row("constraint", ["2x3"], results)
    results["constraint.each-stage-keeps-its-optimum", "2x3"] = done
    assert f"({len(results) - 1} beyond" in growth.row("constraint", ["2x3"], results)
    assert f"{done.seconds:.1f} s for 1" in growth.row("constraint", ["2x3"], results)
