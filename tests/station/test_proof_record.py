"""What a proof record says, of what, and what of a station it leaves out."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proof_records import PROVED, record, write_record

from verified_alloc import Station
from verified_alloc.errors import BadInput
from verified_alloc.station import proof_record
from verified_alloc.station.parts import Feeder, Matrix
from verified_alloc.station.proof_record import LEFT_OUT, Proof, beside, hashes, proof_of

STATION = Station.reference()
OFFER = "verified_alloc/kernel/offer.py"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the package's own record would be; the checkout may have one, here is none."""
    place = tmp_path / "package" / "reference.proof.json"
    place.parent.mkdir()
    monkeypatch.setattr(proof_record, "IN_THE_PACKAGE", place)
    return place


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site.toml"


def sentence(site: Path, station: Station = STATION) -> str:
    return proof_of(station, site).sentence


def test_without_a_record_nothing_is_claimed(site: Path) -> None:
    assert proof_of(STATION, site) == Proof(False, "not proved")
    assert proof_of(STATION) == Proof(False, "not proved")


def test_the_record_is_beside_the_station_file_or_in_the_package(site: Path, package: Path) -> None:
    write_record(package, STATION)
    assert proof_of(STATION) == proof_of(STATION, site) == Proof(True, PROVED)
    fewer = record(STATION).obligations[:1]
    write_record(beside(site), STATION, obligations=fewer)
    assert sentence(site) == "proved (1 obligations, 2026-12-01)"
    red = tuple(one.model_copy(update={"state": "red"}) for one in fewer)
    write_record(beside(site), STATION, obligations=red)
    assert sentence(site) == f"not proved ({red[0].id} in the record)"
    write_record(beside(site), STATION, obligations=())
    assert sentence(site) == "not proved (no obligation in the record)"
    assert beside(Path("/etc/site.toml")) == Path("/etc/site.proof.json")


def test_of_another_station(site: Path) -> None:
    write_record(beside(site), STATION)
    other = replace(STATION, site_limit_w=300_000)
    assert proof_of(other, site) == Proof(False, "proved for another station")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({OFFER: "0" * 64}, "kernel/offer.py differs from the record"),
        ({OFFER: None}, "kernel/offer.py is not in the record"),
        (
            {"verified_alloc/kernel/gone.py": "0" * 64},
            "kernel/gone.py is in the record and not here",
        ),
        ({"hardware/clock.py": "0" * 64}, "hardware/clock.py differs from the record"),
    ],
)
def test_of_other_code(site: Path, change: dict[str, str | None], told: str) -> None:
    code = {n: h for n, h in (record(STATION).code | change).items() if h is not None}
    write_record(beside(site), STATION, code=code)
    assert proof_of(STATION, site) == Proof(False, f"not proved ({told})")


def test_a_kernel_file_that_is_edited_or_new_shows(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = tmp_path / "verified_alloc" / "kernel"
    kernel.mkdir(parents=True)
    (kernel / "offer.py").write_text("offer = 1\n")
    monkeypatch.setattr(proof_record, "PACKAGE", kernel.parent)
    write_record(beside(site), STATION)
    assert sentence(site) == PROVED
    (kernel / "offer.py").write_text("offer = 2\n")
    assert sentence(site) == "not proved (kernel/offer.py differs from the record)"
    (kernel / "offer.py").write_text("offer = 1\n")
    (kernel / "new.py").write_text("")
    assert sentence(site) == "not proved (kernel/new.py is not in the record)"


def broken(text: str) -> Iterator[tuple[bytes, str]]:
    """The damage, and what is said of it."""
    yield b"", "it is not JSON"
    yield b"\xff\xfe", "it is not JSON"
    yield text.encode()[:-100], "it is not JSON"
    yield b"[" * 100_000, "it is not JSON"
    yield b"[]", "it is no proof record"
    yield b"null", "it is no proof record"
    yield b"{}", "it is no proof record"
    yield text.replace('"format": 1', '"format": 2').encode(), "it is no proof record"
    changed = text.replace("It holds.", "It helds.", 1)
    yield changed.encode(), "it has changed since prove wrote it"


def test_a_damaged_record_is_none_and_says_so(site: Path) -> None:
    write_record(beside(site), STATION)
    for damaged, told in broken(beside(site).read_text()):
        beside(site).write_bytes(damaged)
        assert proof_of(STATION, site) == Proof(False, f"not proved ({beside(site)}: {told})")


def test_a_record_that_cannot_be_read(site: Path, package: Path) -> None:
    write_record(package, STATION)
    beside(site).mkdir()
    assert sentence(site) == f"not proved ({beside(site)}: is a directory)"


def others(value: object) -> Any:
    """Another value of that kind."""
    match value:
        case None:
            return 1
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value + "x"
        case tuple():
            return value[:-1]
        case _:
            raise AssertionError(f"how to change {value!r} is not known here")


def changes() -> Iterator[tuple[str, Station]]:
    """Every field of a station, changed alone, by its key in the station file."""
    yield "station.name", replace(STATION, name="other")
    yield "station.site_limit_kw", replace(STATION, site_limit_w=1_000)
    yield "station.require_proof", replace(STATION, require_proof=True)
    yield "matrix", replace(STATION, matrix=Matrix.half(6, 9))
    yield "limit_side", replace(STATION, limit_side="dc")
    yield "conversion_efficiency", replace(STATION, conversion_efficiency=((500_000, 950_000),))
    yield "feeders", replace(STATION, feeders=(Feeder((1, 2), 1_000),))
    for table in ("site", "limits", "policy", "timing", "hardware", "service"):
        part = getattr(STATION, table)
        for field in dataclasses.fields(part):
            changed = replace(part, **{field.name: others(getattr(part, field.name))})
            yield f"{table}.{field.name}", replace(STATION, **{table: changed})
    for table, power in (("guns", "max_power_w"), ("modules", "power_w")):
        first, *rest = getattr(STATION, table)
        yield f"station.{table}", replace(STATION, **{table: (first, *rest[:-1])})
        for place in range(len(rest) + 1):
            units = list(getattr(STATION, table))
            units[place] = replace(units[place], **{power: 1_000})
            yield f"{table}[{place + 1}]", replace(STATION, **{table: tuple(units)})


def test_every_field_of_a_station_is_covered_or_left_out_by_name(site: Path) -> None:
    write_record(beside(site), STATION)
    tried = dict(changes())
    tables = {key.partition(".")[0].partition("[")[0] for key in tried} - {"station"}
    fields = {field.name for field in dataclasses.fields(STATION)}
    assert tables == fields - {"name", "site_limit_w", "require_proof"}
    for key, station in tried.items():
        left_out = key in LEFT_OUT or key.partition(".")[0] in LEFT_OUT
        assert sentence(site, station) == (PROVED if left_out else "proved for another station"), (
            key
        )


def test_single_keys_that_are_left_out_are_a_label_and_the_wish_for_a_record() -> None:
    """Nothing keeps theorems from reading these two; of whole tables they get none."""
    assert [key for key in LEFT_OUT if "." in key] == ["station.name", "station.require_proof"]


def test_a_default_that_is_written_out_changes_nothing(site: Path) -> None:
    write_record(beside(site), STATION)
    told = json.loads(json.dumps(STATION.to_tables()))
    assert sentence(site, Station.from_tables(told)) == PROVED


def test_the_hash_is_that_of_sha256sum(tmp_path: Path) -> None:
    (name,) = hashes(["verified_alloc/py.typed"])
    assert hashes([name])[name] == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


@pytest.mark.parametrize("told", [1, "true", None])
def test_require_proof_is_true_or_false(told: object) -> None:
    tables: Callable[[object], dict[str, Any]] = lambda value: {  # noqa: E731
        "station": {**STATION.to_tables()["station"], "require_proof": value}
    }
    assert Station.from_tables(tables(True)).require_proof
    with pytest.raises(BadInput, match=r"station\.require_proof = .*: allowed is true or false"):
        Station.from_tables(tables(told))
