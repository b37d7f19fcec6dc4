"""The command `explain`."""

import json

from verified_alloc.commands.allocate import result_of
from verified_alloc.commands.options import (
    AsJson,
    Current,
    Demands,
    FailedModules,
    FailedOpen,
    GunsOut,
    PolicyOption,
    StationOption,
    Welded,
    current_of,
    demands_of,
    faults_of,
    station_of,
)


def explain(
    demand: Demands = None,
    station: StationOption = None,
    policy: PolicyOption = "documented",
    current: Current = None,
    failed_module: FailedModules = None,
    gun_out: GunsOut = None,
    welded: Welded = None,
    failed_open: FailedOpen = None,
    as_json: AsJson = False,
) -> int:
    """Why every gun gets what it gets, in sentences.

    \b
    verified-alloc explain --demand 1=160 --demand 3=120 --demand 5=80
    verified-alloc explain --demand 1=240 --demand 2=100 --failed-module 3 --json
    """
    from verified_alloc.decide.explain import explain

    place = station_of(station)
    demands = demands_of(demand)
    faults = faults_of(failed_module, gun_out, failed_open, welded)
    explanation = explain(place, demands, policy, current_of(current), faults)
    if as_json:
        result = result_of(place, demands, explanation.allocation)
        for row in result["guns"]:
            reason = explanation.guns[row["gun"]]
            row["maximum_kw"] = reason.maximum_w / 1000
            row["served"] = reason.served
            row["needs_modules"] = reason.needs
            row["found_modules"] = reason.found
            row["reasons"] = reason.sentences
        answer = explanation.allocation
        result |= {"reasons": explanation.station, "method": answer.method}
        result["stages"] = [stage._asdict() for stage in answer.stages]
        print(json.dumps(result))
    else:
        for reason in explanation.guns.values():
            print(" ".join(reason.sentences))
        for sentence in explanation.station:
            print(sentence)
    return 0
