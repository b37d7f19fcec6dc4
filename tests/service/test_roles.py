"""Who may do what: every operation there is, with a token of every role."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from service.served import Served, eventually
from sweep.stations import REFERENCE

from verified_alloc.errors import BadInput
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.http import application
from verified_alloc.service.http_stream import Past
from verified_alloc.service.roles import ADMIN, DEMAND, OPERATE, READ, ROLES, Grant, Token
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.settings import Settings, settings
from verified_alloc.service.views import Views
from verified_alloc.station import file
from verified_alloc.station.parts import ServiceConfig, TokenConfig

NEEDS = {
    ("put", "/api/v1/guns/{gun}/demand"): DEMAND,
    ("post", "/api/v1/guns/{gun}/acknowledgement"): DEMAND,
    ("put", "/api/v1/guns/{gun}/hold"): DEMAND,
    ("delete", "/api/v1/guns/{gun}/hold"): DEMAND,
    ("put", "/api/v1/guns/{gun}/service"): OPERATE,
    ("put", "/api/v1/modules/{module}/service"): OPERATE,
    ("put", "/api/v1/limits"): OPERATE,
    ("delete", "/api/v1/limits"): OPERATE,
    ("post", "/api/v1/limits/heartbeat"): OPERATE,
    ("put", "/api/v1/policy"): OPERATE,
    ("delete", "/api/v1/faults/{fault}"): OPERATE,
    ("post", "/api/v1/faults/{fault}/acknowledgement"): OPERATE,
    ("post", "/api/v1/emergency-stop"): READ,
    ("post", "/api/v1/simulation/faults"): ADMIN,
}
TOKENS = tuple(
    Token(f"the secret of {role}", Grant(role, role, frozenset({2} if role == DEMAND else ())))
    for role in ROLES
)


def asked(method: str, path: str, role: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The status, with the token of that role; no order gets to a scan."""

    async def done(*_: Any, **__: Any) -> str:
        return "done"

    async def ask() -> int:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            link, explainer = ScanLink(ours), Explainer(REFERENCE)
            monkeypatch.setattr(link, "order", done)
            views = Views(REFERENCE, "not proved", True, explainer)
            told = Settings("0.0.0.0", tokens=TOKENS)
            app = application(REFERENCE, told, link, views, Past(link), explainer)
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://station.example"
            ) as client:
                headers = {"Authorization": f"Bearer the secret of {role}"}
                if path == "operations":
                    document = (await client.get("/openapi.json", headers=headers)).json()
                    operations.update(
                        (method, at) for at, each in document["paths"].items() for method in each
                    )
                    return 200
                return (await client.request(method, path, headers=headers)).status_code

    operations: set[tuple[str, str]] = set()
    code = asyncio.run(ask())
    if path == "operations":
        assert {each for each in operations if each[0] != "get"} == NEEDS.keys()
    return code


def test_every_operation_that_changes_something_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("get", "operations", READ, monkeypatch) == 200


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("method", "path"), NEEDS, ids=lambda part: part)
def test_a_role_may_do_what_those_before_it_may(
    method: str, path: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_2 = path.format(gun=2, module=1, fault="module-1")
    may = ROLES.index(role) >= ROLES.index(NEEDS[method, path])
    assert (asked(method, of_2, role, monkeypatch) != 403) == may


def test_a_demand_token_speaks_for_its_guns_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked("delete", "/api/v1/guns/2/hold", DEMAND, monkeypatch) == 200
    assert asked("delete", "/api/v1/guns/1/hold", DEMAND, monkeypatch) == 403
    assert asked("delete", "/api/v1/guns/1/hold", OPERATE, monkeypatch) == 200


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in ("admin", "gun-2"):
        (tmp_path / name).write_text(f"the secret of {name}\n")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_tokens_come_from_their_files(secrets: Path) -> None:
    config = ServiceConfig(
        token_file=str(secrets / "admin"),
        tokens=(TokenConfig("gun 2", str(secrets / "gun-2"), DEMAND, (2,)),),
    )
    assert settings(config, "tried").tokens == (
        Token("the secret of admin", Grant("token_file", ADMIN)),
        Token("the secret of gun-2", Grant("gun 2", DEMAND, frozenset({2}))),
    )


def test_two_tokens_with_one_secret_are_refused(secrets: Path) -> None:
    """Whose would a request be?"""
    admin = str(secrets / "admin")
    config = ServiceConfig(token_file=admin, tokens=(TokenConfig("x", admin, READ),))
    with pytest.raises(BadInput, match="token_file, x: two are the same") as refused:
        settings(config, "tried")
    assert "the secret" not in str(refused.value)


def test_the_station_file_says_it_and_says_it_again() -> None:
    tables: dict[str, Any] = {
        "station": {"guns": 2, "modules": 1, "module_power_kw": 40, "gun_max_power_kw": 40},
        "service": {"token": [{"name": "x", "file": "f", "role": "demand", "guns": [2]}]},
    }
    station = file.parts(tables)
    assert station.service.tokens == (TokenConfig("x", "f", "demand", (2,)),)
    assert file.parts(file.tables(station)) == station


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ({"role": "king"}, "one of read, demand, operate, admin"),
        ({"guns": [3]}, r"service.token\[1\].guns: 3; allowed are guns 1 to 2"),
        ({"guns": ["1"]}, "a whole number"),
        ({"secret": "x"}, "secret"),
    ],
)
def test_what_a_station_file_may_not_say(token: dict[str, Any], said: str) -> None:
    tables: dict[str, Any] = {
        "station": {"guns": 2, "modules": 1, "module_power_kw": 40, "gun_max_power_kw": 40},
        "service": {"token": [{"name": "x", "file": "f", "role": "demand", "guns": [2], **token}]},
    }
    with pytest.raises(ValueError, match=said):
        file.parts(tables)


def test_a_station_with_tokens(secrets: Path) -> None:
    """Its own machine stops it without one, and reads and tells nothing."""
    tokens = (
        'trusted_proxy = "127.0.0.1"\npublic_name = "station.example"\n'
        f'token_file = "{secrets / "admin"}"\n'
        '[[service.token]]\nname = "gun 2"\nrole = "demand"\nguns = [2]\n'
        f'file = "{secrets / "gun-2"}"\n'
    )
    with Served(secrets, service=tokens, ready=False) as at_work:
        eventually(at_work.is_healthy)
        assert at_work.http.get("/api/v1/state").status_code == 401
        assert at_work.ask(2, 40).status_code == 401
        at_work.http.headers["Authorization"] = "Bearer the secret of gun-2"
        assert at_work.ask(2, 40).status_code == 200
        refused = at_work.ask(1, 40)
        assert refused.status_code == 403
        assert refused.json() == {
            "detail": "gun 2, demand: allowed is a token with the role demand for gun 1"
        }
        del at_work.http.headers["Authorization"]
        assert at_work.http.post("/api/v1/emergency-stop").status_code == 200
        assert at_work.http.delete("/api/v1/faults/emergency-stop").status_code == 401
        at_work.http.headers["Authorization"] = "Bearer the secret of admin"
        assert at_work.state()["stopped"]
        assert at_work.http.delete("/api/v1/faults/emergency-stop").status_code == 200
        # As the TLS proxy of docs/service.md passes on what a browser asks from elsewhere.
        at_work.http.headers.update(
            {
                "Host": "station.example",
                "Origin": "https://station.example",
                "X-Forwarded-For": "192.0.2.66",
                "X-Forwarded-Proto": "https",
            }
        )
        assert at_work.ask(2, 40).status_code == 200
        del at_work.http.headers["Authorization"]
        assert at_work.http.post("/api/v1/emergency-stop").status_code == 401
        at_work.http.headers["Origin"] = "https://evil.example"
        assert at_work.http.post("/api/v1/emergency-stop").status_code == 403
        eventually(lambda: "wrong origin from 192.0.2.66" in at_work.said)
        assert "the secret" not in at_work.said
