"""The free algebra knows terms that are the same from those that only look alike."""

from proofs.algebras import free_terms

A, B, C = free_terms.names("x", 3)


def test_order_does_not_matter_where_it_cannot() -> None:
    assert A + B + C == C + (B + A)
    assert A + 1 == 1 + A
    assert free_terms.and_(A, B) == free_terms.and_(B, A)
    assert free_terms.or_(A, B) == free_terms.or_(B, A)


def test_everything_else_is_told_apart() -> None:
    assert free_terms.and_(A, B) != free_terms.or_(A, B)
    assert A + A != A
    assert A + A + B != A + B
    assert A - B != B - A
    assert 1 - A != A - 1
    assert len({A < B, B < A, A <= B, A > B, A >= B}) == 5
    assert free_terms.ite(A, B, C) != free_terms.ite(A, C, B)
    assert free_terms.not_(A) != A
    assert free_terms.names("usable", 2, 2)[0][1] != free_terms.names("usable", 2, 2)[1][0]
