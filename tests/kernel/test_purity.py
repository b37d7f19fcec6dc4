"""The kernel may look at the shape of the station, never at a value; and the lint notices each way
to look."""

from pathlib import Path

import pytest

from proofs.suite import mutants, prove, purity
from verified_alloc.station.model import Station

HEAD = """
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from verified_alloc.kernel import guard, wiring
from verified_alloc.kernel.ops import BoolMatrix, Ops, Shape
from verified_alloc.kernel.wiring import Place

class Pair(NamedTuple):
    gun: Shape
    power_w: int

class Told(NamedTuple):
    where: Pair
    powers_w: Sequence[int]

def f(ops: Ops, a: bool, b: int, bits: Sequence[bool], rows: BoolMatrix, order: Sequence[Shape],
      gun: Shape, pair: Pair, told: Told, perhaps: Sequence[bool] | None = None) -> int:
"""


def faults(body: str) -> list[str]:
    """What is wrong with a function of the kernel that does that."""
    source = HEAD + "".join(f"    {line}\n" for line in body.splitlines())
    return [what for _, what in purity.faults_in(source, "scratch.py")]


def test_the_kernel_looks_at_no_value() -> None:
    assert purity.faults() == []


@pytest.mark.parametrize(
    "body",
    [
        "if a:\n    return 1\nreturn 2",
        "while a:\n    b = b - 1\nreturn b",
        "while gun:\n    return 1",
        "return 1 if a else 2",
        "return 1 if b > 0 else 2",
        "return a and b",
        "return a or b",
        "return not a",
        "assert a",
        "match b:\n    case 1:\n        return 2",
        "try:\n    return order[b]\nexcept IndexError:\n    return 1",
        "return a in bits",
        "return True in bits",
        "return b not in order",
        "return b == 1",
        "return b != 1",
        "return bits == [True]",
        "return pair == pair",
        "return a is True",
        "return bits[0] is not None",
        "return 0 < b < 2",
        "return bits < bits",
        "return bool(a)",
        "return int(a)",
        "return any(bits)",
        "return all(bits)",
        "return min(b, 1)",
        "return max(b, 1)",
        "return min(bits)",
        "return sorted(bits)[0]",
        "return abs(b)",
        "return divmod(b, 2)[0]",
        "return b // 2",
        "return b * gun",
        "return -b",
        "return ~b",
        "return len(a)",
        "return len({each for each in bits})",
        "return len({*bits})",
        "return len(set(bits))",
        "return len({b: 1})",
        "return len([each for each in bits if each])",
        "return [each for each in order if each > b][0]",
        "return order[b]",
        "return bits[a]",
        "return order[:b][0]",
        "return order[b:][0]",
        "for gun in range(b):\n    pass",
        "for each in b:\n    return each",
        "return [False] * b",
        "return rows[0][b]",
        "return str(b)",
        "return f'{b}'",
        "return isinstance(a, bool)",
        "return type(b)",
        "return hash(b)",
        "return id(bits[0])",
        "return getattr(ops, 'ite')",
        "return bits.index(True)",
        "return bits.count(True)",
        "return b.bit_length()",
        "return next(each for each in bits)",
        "return list(filter(None, bits))[0]",
        "return (lambda: 1 if a else 2)()",
        "return (c := b)",
        "return a(b)",
        # A value that comes to its place in another way.
        "c = b + 1\nreturn order[c]",
        "c = 0\nc += b\nreturn order[c]",
        "c = 0\nfor gun in order:\n    d = order[c]\n    c = c + b\nreturn 1",
        "return order[ops.ite(a, 0, 1)]",
        "return order[pair.power_w]",
        "return order[told.where.power_w]",
        "return order[told.powers_w[0]]",
        "for place, each in enumerate(bits):\n    d = order[each]\nreturn 1",
        "for each, place in zip(bits, order, strict=True):\n    d = order[each]\nreturn 1",
        "for one, other in pairwise(bits):\n    d = order[one]\nreturn 1",
        "for column in zip(*rows, strict=True):\n    d = order[column[0]]\nreturn 1",
        "c = []\nc.append(b)\nreturn order[c[0]]",
        "c = [0, 0]\nc[0] = b\nreturn order[c[1]]",
        "c = [[0] for _ in order]\nc[0][0] = b\nreturn order[c[0][0]]",
        "c, d = [0], [0]\nd[0] = b\nreturn order[d[0]]",
        "for c[0] in bits:\n    return 1",
        "return wiring.place(b).bit",
        "return wiring.place(contactor=b).bit",
        "return wiring.place(*bits).bit",
        "return Place(b, 1).bit",
        "return Pair(b, b).gun",
        "return pair._replace(gun=b).gun",
        "return [place.bit for place in map(wiring.place, bits)][0]",
        "return guard.sorted_order(ops, bits, bits)",
        # A list under two names.
        "c = [0]\nd = c\nd[0] = b\nreturn order[c[0]]",
        "c = [[0]]\nfor d in c:\n    d[0] = b\nreturn order[c[0][0]]",
        "c = [0]\nd = [c]\nd[0][0] = b\nreturn order[c[0]]",
        "c = [0]\nd = []\nd.append(c)\nd[0][0] = b\nreturn order[c[0]]",
        "c = [0]\nd = c\nd += [b]\nreturn order[c[0]]",
        "c = [0]\nd = c\nd.append(b)\nreturn order[c[0]]",
        "c = [0]\nd = [c.append(each) for each in bits]\nreturn order[c[0]]",
        "order.append(b)\nreturn 1",
        "wiring.UNUSED[0] = b\nreturn 1",
    ],
)
def test_a_look_at_a_value_is_noticed(body: str) -> None:
    assert faults(body)


@pytest.mark.parametrize(
    "body",
    [
        "return ops.ite(a, b, gun)",
        "return ops.ite(ops.and_(*bits, *[ops.not_(each) for each in bits]), b - 1, 1 + b)",
        "return b if gun == order[0] else 1",
        "if gun in order[: gun + 1]:\n    return b\nreturn 1",
        "return ops.or_(*[False, a]) if perhaps is None else perhaps[gun]",
        "return len([place for place, each in enumerate(bits) if place > gun])",
        "return order[pair.gun]",
        "for row, which in zip(rows, order, strict=True):\n    b = b + ops.ite(row[which], 1, 0)\n"
        "return b",
        "c = [[False] * len(bits) for _ in order]\nc[gun][0] = a\nreturn c[order[0]][gun]",
        "return ops.ite(sorted(order) == list(range(len(bits))), told.powers_w[gun], 0)",
        "return pair._replace(power_w=b).gun",
        "return wiring.place(gun).bit",
        "return min(gun, len(bits)) * 2",
    ],
)
def test_shape_may_be_looked_at(body: str) -> None:
    assert not faults(body)


def test_a_value_is_not_returned_as_shape() -> None:
    source = "from verified_alloc.kernel.ops import Shape\ndef f(b: int) -> Shape:\n    return b\n"
    assert list(purity.faults_in(source, "scratch.py")) == [(3, "returns a value as shape")]


@pytest.mark.parametrize(
    "source",
    [
        "import os",
        "import itertoolsandmore",
        "from verified_alloc import station",
        "from verified_alloc.kernelized import ops",
        "def f(*bits: bool) -> int:\n    return 1",
        "from itertools import cycle\n@cycle\ndef f(b: int) -> int:\n    return b",
        "class Looks:\n    def at(self, a: bool) -> int:\n        return 1 if a else 2",
        "from typing import NamedTuple\nclass Looks(NamedTuple):\n    a: bool\n"
        "    def at(self) -> int:\n        return 1 if self.a else 2",
        "for gun in range(6):\n    pass",
    ],
)
def test_nothing_comes_in_from_the_side(source: str) -> None:
    assert list(purity.faults_in(source, "scratch.py"))


@pytest.mark.parametrize(
    ("file", "shipped", "broken"),
    [
        ("rule", "ops.and_(free, usable, grant_w > reached_w)", "free and usable"),
        ("rule", "ops.ite(a < b, a, b)", "min(a, b)"),
        ("guard", "return count <= 1", "return count in [0, 1]"),
        (
            "guard",
            "ops.or_(ops.not_(ops.or_(*row)), delivered_w",
            "ops.or_(True not in row, deliver",
        ),
        ("switching", "on_gun(ops, readings, want), target_closed", "readings.latch == want"),
        ("diagnosis", "count > timing.release_mismatch", "count in range(99)"),
        ("offer", "ops.ite(barred, 0, least(ops, grant_w, borne_w))", "(borne_w, 0)[barred]"),
        ("wiring", "ops.or_(ops.and_(may, want)", "(want if may else latch"),
        (
            "dwell",
            "for dwelling, can, power_w in zip(",
            "for dwelling, can, power_w in filter(any, ",
        ),
        ("invariants", "for bit in bits:", "for bit in {*bits}:"),
    ],
)
def test_a_look_at_a_value_in_the_shipped_files_is_noticed(
    file: str, shipped: str, broken: str
) -> None:
    text = (mutants.folder() / f"{file}.py").read_text("utf-8")
    assert shipped in text
    assert not list(purity.faults_in(text, f"{file}.py"))
    changed = text.replace(shipped, broken)
    try:
        found = list(purity.faults_in(changed, f"{file}.py"))
    except SyntaxError:
        pytest.fail("that is no Python")
    assert found


def test_prove_is_red_for_a_kernel_that_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (mutants.folder() / "rule.py").read_text("utf-8")
    (tmp_path / "rule.py").write_text(text.replace("ops.ite(a < b, a, b)", "min(a, b)"))
    monkeypatch.setattr(purity, "folder", lambda: tmp_path)
    (result,) = prove.prove(Station.reference(), only=["none"])
    assert result.state == prove.RED
    assert "min() of a value" in result.reasons[0]
