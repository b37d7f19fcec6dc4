"""The door: token, size, rate, callers; with an application behind it that must not be reached."""

import asyncio
import logging
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from verified_alloc.errors import BadInput
from verified_alloc.service.log import Journald, Once
from verified_alloc.service.request_guard import BURST, MOST_BODY_BYTES, Allowance, RequestGuard
from verified_alloc.service.settings import settings
from verified_alloc.station.parts import ServiceConfig

TOKEN = "a token of many letters"


class Behind:
    """The application: counts what reaches it."""

    def __init__(self) -> None:
        self.reached: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def asked(
    door: RequestGuard, path: str = "/api/state", host: str = "127.0.0.1:8080", **request: Any
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(door)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(request.pop("method", "GET"), path, **request)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (None, 401),
        ("", 401),
        (TOKEN, 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer \xff", 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
    ],
)
def test_only_the_token_opens(
    told: str | None, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    behind, refused = Behind(), Counter[str]()
    door = RequestGuard(behind, TOKEN, "0.0.0.0", refused)
    headers = {} if told is None else {"Authorization": told.encode("latin-1")}
    with caplog.at_level(logging.DEBUG):
        answer = asked(door, host="station.example", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == code
    assert refused["wrong token"] == (code == 401)
    assert TOKEN not in caplog.text
    if code == 401:
        assert not behind.reached
        assert answer.headers["www-authenticate"] == "Bearer"


def test_the_page_and_healthz_need_no_token_and_everything_else_does() -> None:
    door = RequestGuard(Behind(), TOKEN, "0.0.0.0", Counter())
    for path, code in (
        ("/", 200),
        ("/app.js", 200),
        ("/healthz", 200),
        ("/metrics", 401),
        ("/openapi.json", 401),
        ("/api/guns/1/demand", 401),
        ("/api/stream", 401),
    ):
        assert asked(door, path, host="station.example").status_code == code


@pytest.mark.parametrize("size", [MOST_BODY_BYTES, MOST_BODY_BYTES + 1])
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_has_a_size(size: int, declared: bool) -> None:
    behind, refused = Behind(), Counter[str]()
    body = b"x" * size

    async def pieces() -> Any:
        for start in range(0, size, 1000):
            yield body[start : start + 1000]

    door = RequestGuard(behind, None, "127.0.0.1", refused)
    answer = asked(door, method="PUT", content=body if declared else pieces())
    if size <= MOST_BODY_BYTES:
        assert answer.status_code == 200
        assert behind.reached == [body]
    else:
        assert answer.status_code == 413
        assert not behind.reached
        assert refused["too large"] == 1


def test_a_caller_that_comes_too_often_waits_and_others_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    allowance = Allowance(per_s=10, burst=5)
    assert [allowance.take("a") for _ in range(7)] == [True] * 5 + [False] * 2
    assert allowance.take("b")
    now_s = 0.1
    assert [allowance.take("a") for _ in range(2)] == [True, False]
    now_s = 10.0
    assert [allowance.take("a") for _ in range(6)] == [True] * 5 + [False]
    for caller in range(5000):
        allowance.take(str(caller))
    assert len(allowance._left) == 1000


def test_too_many_requests_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    behind, refused = Behind(), Counter[str]()
    door = RequestGuard(behind, None, "127.0.0.1", refused)
    monkeypatch.setattr("verified_alloc.service.request_guard.time.monotonic", lambda: 0.0)
    codes = Counter(asked(door).status_code for _ in range(round(BURST) + 10))
    assert codes == {200: round(BURST), 429: 10}
    assert refused == {"too often": 10}
    assert len(behind.reached) == round(BURST)


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("127.0.0.1:8080", None, 200),
        ("localhost:8080", "http://localhost:8080", 200),
        ("[::1]:8080", None, 200),
        ("station.example", None, 403),
        ("127.0.0.1.station.example", None, 403),
        ("127.0.0.1:8080", "http://station.example", 403),
        ("127.0.0.1:8080", "http://127.0.0.1:9999", 403),
        ("127.0.0.1:8080", "null", 403),
    ],
)
def test_pages_of_other_sites_do_not_get_in(host: str, origin: str | None, code: int) -> None:
    door = RequestGuard(Behind(), None, "127.0.0.1", Counter())
    headers = {} if origin is None else {"Origin": origin}
    assert asked(door, host=host, headers=headers).status_code == code


def test_what_is_said_again_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tried")
    once = Once()
    log.addFilter(once)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            log.warning("refused from %s", "a")
        log.warning("refused from %s", "b")
    assert [record.getMessage() for record in caplog.records] == [
        "refused from a",
        "refused from b",
    ]


def test_the_journal_gets_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "journal")
    monkeypatch.setattr("verified_alloc.service.log.SOCKET", place)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(place)
        record = logging.makeLogRecord(
            {"levelname": "ERROR", "msg": "two\nlines", "fields": {"GUN": 3}}
        )
        Journald().emit(record)
        assert journal.recv(1000).decode().split("\n") == [
            "MESSAGE=two lines",
            "PRIORITY=3",
            "SYSLOG_IDENTIFIER=verified-alloc",
            "GUN=3",
        ]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return file


def test_a_token_comes_from_its_file(token_file: Path) -> None:
    told = settings(ServiceConfig(http="0.0.0.0:80", token_file=str(token_file)), "tried")
    assert (told.host, told.port, told.token) == ("0.0.0.0", 80, TOKEN)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("short", 0o600, "too short"),
        (f"{TOKEN}\n{TOKEN}", 0o600, "one line"),
        ("", 0o600, "one line"),
        (TOKEN, 0o644, "chmod 600"),
        (TOKEN, 0o620, "chmod 600"),
    ],
)
def test_a_token_file_that_is_refused(token_file: Path, content: str, mode: int, said: str) -> None:
    token_file.write_text(content)
    token_file.chmod(mode)
    with pytest.raises(BadInput, match=said) as refused:
        settings(ServiceConfig(token_file=str(token_file)), "tried")
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ServiceConfig(http="8080"), "allowed is HOST:PORT"),
        (ServiceConfig(http=":8080"), "allowed is HOST:PORT"),
        (ServiceConfig(http="[::]:8080"), "only loopback"),
        (ServiceConfig(token_file="/nowhere"), "no such file"),
        (ServiceConfig(mqtt="broker"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="http://broker"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="mqtt://user:word@broker"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="mqtt://broker:x"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="mqtt://broker", mqtt_topic="a/#"), "allowed is a topic"),
        (ServiceConfig(mqtt="mqtt://broker", mqtt_ca_file="/nowhere"), "allowed is a file"),
    ],
)
def test_configs_that_are_refused(config: ServiceConfig, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        settings(config, "tried")


@pytest.mark.parametrize("name", ["", "a/b", "#", "+1", "$SYS", "x" * 101])
def test_a_name_that_is_no_level_of_a_topic_is_refused_with_mqtt(name: str) -> None:
    settings(ServiceConfig(), name)
    with pytest.raises(BadInput, match=r"^station.name = .*: allowed, with service.mqtt, are 1 to"):
        settings(ServiceConfig(mqtt="mqtt://broker"), name)


def test_a_broker() -> None:
    config = ServiceConfig(mqtt="mqtts://broker.example", mqtt_user="station")
    broker = settings(config, "tried").broker
    assert broker is not None
    assert (broker.host, broker.port, broker.tls) == ("broker.example", 8883, True)
    assert (broker.user, broker.password, broker.topic) == ("station", None, "verified-alloc/tried")
