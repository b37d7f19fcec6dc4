"""Contactors, expanders and words."""

from hypothesis import given
from hypothesis import strategies as st

from verified_alloc.kernel import ops, wiring
from verified_alloc.kernel.wiring import Place

PINS = 24 * 14  # what 24 expanders carry, which takes several buses


def test_the_documented_places() -> None:
    assert wiring.place(0) == Place(0, 0)
    assert wiring.place(6) == Place(0, 6)
    assert wiring.place(7) == Place(0, 8)  # GPB0
    assert wiring.place(13) == Place(0, 14)
    assert wiring.place(14) == Place(1, 0)
    assert wiring.place(53) == Place(3, 12)


def test_every_contactor_has_a_place_of_its_own_and_none_is_on_bit_7_of_a_port() -> None:
    places = [wiring.place(number) for number in range(PINS)]
    assert len(set(places)) == PINS
    assert {place.bit for place in places} == set(range(16)) - {7, 15}


def test_expanders_are_as_many_as_it_takes() -> None:
    assert [wiring.expanders(n) for n in (1, 14, 15, 54, 56)] == [1, 1, 2, 4, 4]


@given(st.lists(st.booleans(), min_size=1, max_size=PINS))
def test_words_carry_the_coils_and_nothing_else(coils: list[bool]) -> None:
    words = wiring.words(coils)
    assert wiring.coils(words, len(coils)) == tuple(coils)
    assert sum(map(sum, words)) == sum(coils)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=56))
def test_only_those_that_may_switch_leave_their_verified_latch(
    contactors: list[tuple[bool, bool, bool]],
) -> None:
    may, wanted, verified = zip(*contactors, strict=True)
    for allowed, want, latch, coil in zip(
        may, wanted, verified, wiring.next_coils(ops, may, wanted, verified), strict=True
    ):
        assert coil == (want if allowed else latch)


def test_a_module_counts_as_read_only_if_all_its_expanders_answered() -> None:
    astride = (0, 1)  # module 3 of the reference station
    assert wiring.valid(ops, (True, True, False, False), astride)
    assert not wiring.valid(ops, (False, True, True, True), astride)
    assert not wiring.valid(ops, (True, False, True, True), astride)
