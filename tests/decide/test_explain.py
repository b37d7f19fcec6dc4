"""explain: every gun's reason, in sentences that say what is so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stations import demands_of, faults_of, stations, tables

from verified_alloc import BadInput, Faults, Station, allocate
from verified_alloc.decide import demand
from verified_alloc.decide.allocate import decide
from verified_alloc.decide.explain import explain, reasons
from verified_alloc.decide.policies import constraint
from verified_alloc.decide.policies.problem import NO_FAULTS
from verified_alloc.station.faults import usable_after
from verified_alloc.words import kilowatts, modules

REFERENCE = Station.reference()


def said(gun: int, station: Station, demands: dict[int, float], faults: Faults = NO_FAULTS) -> str:
    return " ".join(explain(station, demands, faults=faults).guns[gun].sentences)


def test_the_third_scenario_gun_by_gun() -> None:
    explanation = explain(REFERENCE, {1: 160, 3: 120, 5: 80})
    assert [" ".join(reason.sentences) for reason in explanation.guns.values()] == [
        "Gun 1 asks for 160 kW. It is served first. It needs 4 modules of 40 kW for 160 kW."
        " It finds all modules that it can use free: PM1-9."
        " It takes PM1-4 and gets 160 kW, all it can have.",
        "Gun 2 asks for nothing and gets nothing.",
        "Gun 3 asks for 120 kW. Served before it: gun 1 (PM1-4)."
        " It needs 3 modules of 40 kW for 120 kW. Of the 9 modules that it can use PM5-9 are left."
        " It takes PM5-7 and gets 120 kW, all it can have.",
        "Gun 4 asks for nothing and gets nothing.",
        "Gun 5 asks for 80 kW. Served before it: gun 1 (PM1-4) and gun 3 (PM5-7)."
        " It needs 2 modules of 40 kW for 80 kW. Of the 9 modules that it can use PM8-9 are left."
        " It takes PM8-9 and gets 80 kW, all it can have.",
        "Gun 6 asks for nothing and gets nothing.",
    ]
    assert explanation.station == ()
    assert explanation.allocation == allocate(REFERENCE, {1: 160, 3: 120, 5: 80})


def test_the_cap() -> None:
    text = said(1, REFERENCE, {1: 300})
    assert "asks for 300 kW, more than its maximum, and is given at most that, 240 kW." in text
    assert "gets 240 kW, all it can have." in text
    assert said(1, REFERENCE, {1: 240}).startswith("Gun 1 asks for 240 kW. It is served first.")


def test_what_others_took() -> None:
    demands = {1: 240, 2: 200, 3: 50.5}
    assert "Of the 9 modules that it can use PM7-9 are left." in said(2, REFERENCE, demands)
    assert "It takes PM7-9 and gets 120 kW, short by 80 kW." in said(2, REFERENCE, demands)
    last = said(3, REFERENCE, demands)
    assert "Served before it: gun 1 (PM1-6) and gun 2 (PM7-9)." in last
    assert "It needs 2 modules of 40 kW for 50.5 kW." in last
    assert "Of the 9 modules that it can use none is left. It gets nothing." in last


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        (Faults(modules={3}), "PM3 has failed."),
        (Faults(modules={3, 4, 9}), "PM3-4, PM9 have failed."),
        (Faults(failed_open={(1, 6)}), "Its contactor to PM6 has failed open."),
        (Faults(welded={(1, 6)}), "PM6 is welded to it and serves no other gun."),
        (Faults(welded={(2, 6)}), "PM6 is welded to gun 2 and serves only that gun."),
        (Faults(welded={(2, 6), (3, 6)}), "PM6 is welded to gun 2 and gun 3 and serves nobody."),
        (Faults(guns={1}), "It is out of service."),
        (
            Faults(modules={6}, welded={(1, 6)}),
            "PM6 has failed and is welded to it, so it cannot be served.",
        ),
        (
            Faults(welded={(1, 6), (2, 6), (3, 6)}),
            "PM6 is welded to it and to gun 2 and gun 3: they are joined,"
            " and none of them can be served.",
        ),
    ],
)
def test_the_fault_that_stood_in_the_way(faults: Faults, sentence: str) -> None:
    demands = {1: 240.0, 2: 40.0}
    assert sentence in explain(REFERENCE, demands, faults=faults).guns[1].sentences
    assert sentence not in said(1, REFERENCE, demands)


def test_what_was_taken_out_has_not_failed() -> None:
    """PM3 has failed, somebody has taken PM4 and PM5 out."""
    faults = Faults(modules={3, 4, 5})
    asked = demand.strictly([240_000, 0, 0, 0, 0, 0])
    why = reasons(REFERENCE, asked, faults, decide(REFERENCE, asked, faults=faults), {4, 5})
    assert "PM3 has failed." in why.guns[1].sentences
    assert "PM4-5 are out of service." in why.guns[1].sentences


def test_faults_of_others_are_not_told() -> None:
    assert "failed open" not in said(1, REFERENCE, {1: 240}, Faults(failed_open={(2, 6)}))


def test_a_failed_module_is_told_once() -> None:
    faults = Faults(modules={6}, welded={(2, 6)})
    text = said(1, REFERENCE, {1: 240}, faults)
    assert "PM6 has failed." in text
    assert "welded" not in text


def test_a_gun_that_is_out_is_served_before_nobody() -> None:
    explanation = explain(REFERENCE, {1: 240, 2: 40}, faults=Faults(guns={1}))
    assert explanation.guns[1].served is None
    assert explanation.guns[2].served == 1
    assert "It is served first." in explanation.guns[2].sentences


def test_the_gap_in_the_matrix() -> None:
    ring = Station.from_tables(tables(matrix={"kind": "ring"}))
    text = said(1, ring, {1: 200})
    assert "200 kW is more than all 4 modules that it can use give, 160 kW." in text
    assert "It has no contactor to PM5-9." in text
    exact = said(1, ring, {1: 160})
    assert "no contactor" not in exact
    assert "It needs 4 modules of 40 kW for 160 kW." in exact


def test_a_limit_of_its_own() -> None:
    for demand_w, said in (
        (50_000, "Gun 1 asks for more than its own limit of 50 kW, and that is what counts."),
        (0, "Gun 1 asks for more than its own limit of 0 kW, and gets nothing."),
    ):
        asked = demand.strictly([demand_w, 40_000, 0, 0, 0, 0])
        decided = decide(REFERENCE, asked, policy="documented")
        found = reasons(REFERENCE, asked, NO_FAULTS, decided, limited=(1,)).guns
        assert found[1].sentences[0] == said
        assert found[2].sentences[0] == "Gun 2 asks for 40 kW."


def test_the_site_limit() -> None:
    limited = Station.from_tables(tables(station={"site_limit_kw": 190}))
    demands = {1: 150.0, 2: 100.0, 3: 80.0}
    text = said(2, limited, demands)
    assert "The site limit of 190 kW leaves 40 kW for it." in text
    assert "It needs 1 module of 40 kW for 40 kW." in text
    assert "gets 40 kW, short by 60 kW." in text
    assert "site limit" not in said(1, limited, demands)
    assert "site limit" not in said(2, limited, {1: 150, 2: 40})
    assert "The site limit of 190 kW leaves 0 kW for it. It gets nothing." in said(
        3, limited, demands
    )
    about = explain(limited, demands).station
    assert "190 kW of the site limit of 190 kW is given." in about
    assert "PM6-9 idle: every gun that could use them has all it may have." in about


def test_what_the_site_limit_leaves_is_of_no_use() -> None:
    limited = Station.from_tables(tables(station={"site_limit_kw": 240.5}))
    demands = {1: 240.0, 2: 120.0, 3: 0.7}
    sentence = "The site limit of 240.5 kW leaves 0.5 kW for it, less than is of use, "
    assert f"{sentence}1 kW. It gets nothing." in said(2, limited, demands)
    assert f"{sentence}0.7 kW. It gets nothing." in said(3, limited, demands)
    by_policy = explain(limited, demands, "priority").guns
    assert f"{sentence}1 kW." in by_policy[2].sentences
    assert "of use" not in said(3, limited, {1: 240, 3: 0.4})


def test_unequal_modules() -> None:
    station = Station.from_tables(tables(module=[{"id": 1, "power_kw": 10}]))
    text = said(1, station, {1: 60})
    assert "It needs 3 modules for 60 kW, lowest number first: PM1-3." in text


def test_modules_that_serve_nobody() -> None:
    about = explain(REFERENCE, {1: 40}, faults=Faults(modules={2})).station
    assert about == (
        "PM3-9 idle: every gun that could use them has all it may have.",
        "PM2 can serve no gun.",
    )


def test_a_fall_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    station = Station.from_tables(tables(module=[{"id": 9, "power_kw": 20}]))
    asked = demand.from_kilowatts(station, {1: 40})
    monkeypatch.setattr(constraint, "LIMIT", 0)
    answer = decide(station, asked, policy="fair")
    about = reasons(station, asked, Faults(), answer).station
    assert (
        "The policy fair had no answer (smallest but 0 delivered, W: CP-SAT says UNKNOWN);"
        " this is documented."
    ) in about


def test_words() -> None:
    assert kilowatts(40_000) == "40 kW"
    assert kilowatts(100_000) == "100 kW"
    assert kilowatts(40_500) == "40.5 kW"
    assert kilowatts(16_001) == "16.001 kW"
    assert kilowatts(0) == "0 kW"
    assert modules([]) == "none"
    assert modules([1]) == "PM1"
    assert modules([1, 2, 4, 6, 7, 8]) == "PM1-2, PM4, PM6-8"


def test_bad_input_is_refused_as_by_allocate() -> None:
    with pytest.raises(BadInput, match="gun 7"):
        explain(REFERENCE, {7: 1})


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_said_is_so(data: st.DataObject) -> None:
    station = data.draw(stations())
    faults = data.draw(faults_of(station))
    demands = data.draw(demands_of(station))
    explanation = explain(station, demands, faults=faults)
    answer = allocate(station, demands, faults=faults)
    assert explanation.allocation == answer
    assert list(explanation.guns) == list(answer.modules)
    left = usable_after(station, faults)
    places = [reason.served for reason in explanation.guns.values() if reason.served is not None]
    assert sorted(places) == list(range(1, len(places) + 1))
    for gun, reason in explanation.guns.items():
        assert reason.modules == answer.modules[gun]
        assert reason.delivered_w == answer.delivered_w[gun]
        assert reason.unmet_w == answer.unmet_w[gun]
        assert set(reason.modules) <= set(reason.found)
        assert reason.sentences[0].startswith(f"Gun {gun} asks for ")
        text = " ".join(reason.sentences)
        assert ("gets nothing" in text) == (not reason.modules)
        assert ("all it can have" in text) == (reason.delivered_w > 0 == reason.unmet_w)
        if reason.served is not None and reason.modules == reason.found[: reason.needs]:
            assert len(reason.modules) == min(reason.needs, len(reason.found)) or (
                len({module.power_w for module in station.modules}) > 1
            )
        if not left.in_service[gun - 1] and reason.demand_w > 0:
            assert len(reason.sentences) > 1
            assert reason.served is None
