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
from verified_alloc.service.log import SILENT_S, Journald, OncePerKind, OneLine
from verified_alloc.service.request_guard import (
    BURST,
    MOST_BODY_BYTES,
    UNDER_WAY,
    Allowance,
    RequestGuard,
)
from verified_alloc.service.roles import ADMIN, DEMAND, NO_TOKEN, READ, Grant, Token
from verified_alloc.service.settings import Settings, authority, settings
from verified_alloc.station.parts import ServiceConfig, TokenConfig

TOKEN = "a token of many letters"
OPEN = Settings("127.0.0.1")
SHUT = Settings("0.0.0.0", tokens=(Token(TOKEN, Grant("hers", ADMIN)),))


class Behind:
    """The application: counts what reaches it."""

    def __init__(self) -> None:
        self.reached: list[bytes] = []
        self.grant: Grant | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.grant = scope["grant"]
        self.reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def asked(
    door: RequestGuard,
    path: str = "/api/v1/state",
    host: str = "127.0.0.1:8080",
    caller: str = "127.0.0.1",
    **request: Any,
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(door, client=(caller, 40_000))
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
    door = RequestGuard(behind, SHUT, refused)
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
    door = RequestGuard(Behind(), SHUT, Counter())
    for path, code in (
        ("/", 200),
        ("/app.js", 200),
        ("/healthz", 200),
        ("/metrics", 401),
        ("/openapi.json", 401),
        ("/asyncapi.json", 401),
        ("/api/v1/guns/1/demand", 401),
        ("/api/v1/stream", 401),
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

    door = RequestGuard(behind, OPEN, refused)
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


def test_who_is_refused_uses_up_nothing_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """On loopback all are one address: a page of another site, or who has no token."""
    monkeypatch.setattr("verified_alloc.service.request_guard.time.monotonic", lambda: 0.0)
    both = SHUT._replace(host="127.0.0.1")
    door = RequestGuard(Behind(), both, Counter())
    hers = {"Authorization": f"Bearer {TOKEN}"}
    for wrong in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {}):
        codes = Counter(asked(door, headers=wrong).status_code for _ in range(round(BURST) + 1))
        assert codes.keys() <= {401, 403}
    codes = Counter(asked(door, headers=hers).status_code for _ in range(round(BURST) + 1))
    assert codes == {200: round(BURST), 429: 1}
    assert asked(door, "/healthz").status_code == 200
    assert asked(door, "/api/v1/emergency-stop", method="POST", headers=hers).status_code == 200


def test_too_many_requests_are_refused_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    behind, refused = Behind(), Counter[str]()
    door = RequestGuard(behind, OPEN, refused)
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
    door = RequestGuard(Behind(), OPEN, Counter())
    headers = {} if origin is None else {"Origin": origin}
    assert asked(door, host=host, headers=headers).status_code == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("LocalHost", ("localhost", None)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]station.example", None),
        ("[::1", None),
        ("127.0.0.1:x", None),
        ("127.0.0.1:99999", None),
        ("me@127.0.0.1", None),
        ("127.0.0.1@station.example", None),
        ("127.0.0.1/x", None),
        ("127.0.0.1\t", None),
        ("", None),
    ],
)
def test_a_host_is_read_as_the_standard_library_does_and_whole(
    text: str, said: tuple[str, int | None] | None
) -> None:
    assert authority(text) == said


@pytest.mark.parametrize("name", ["Host", "Origin", "Authorization"])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    behind = Behind()
    right = {"Host": "127.0.0.1", "Origin": "http://127.0.0.1", "Authorization": f"Bearer {TOKEN}"}
    door = RequestGuard(behind, SHUT, Counter())
    assert asked(door, headers=right).status_code == 200
    twice = [*right.items(), (name, "station.example")]
    assert asked(door, headers=twice).status_code == 400
    assert len(behind.reached) == 1


BEHIND_PROXY = SHUT._replace(
    host="127.0.0.1", trusted_proxy="127.0.0.1", public_name="station.example"
)


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("station.example", None, 200),
        ("station.example", "https://station.example", 200),
        ("127.0.0.1:8080", "https://station.example", 200),
        ("station.example", "https://evil.example", 403),
        ("station.example", "file://station.example", 403),
        ("evil.example", "https://station.example", 403),
    ],
)
def test_the_name_of_a_proxy_before_it_is_its_own(host: str, origin: str | None, code: int) -> None:
    door = RequestGuard(Behind(), BEHIND_PROXY, Counter())
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Origin": origin} if origin else {})
    assert asked(door, host=host, headers=headers).status_code == code


@pytest.mark.parametrize(
    ("path", "host", "caller", "headers", "code"),
    [
        ("/api/v1/emergency-stop", "127.0.0.1", "127.0.0.1", {}, 200),
        ("/api/v1/emergency-stop", "[::1]:80", "::1", {}, 200),
        ("/api/v1/emergency-stop", "127.0.0.1", "192.0.2.1", {}, 401),
        ("/api/v1/emergency-stop", "station.example", "127.0.0.1", {}, 401),
        ("/api/v1/emergency-stop", "127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "::1"}, 401),
        ("/api/v1/emergency-stop", "127.0.0.1", "127.0.0.1", {"Forwarded": "for=x"}, 401),
        ("/api/v1/emergency-stop", "127.0.0.1", "127.0.0.1", {"Origin": "http://evil"}, 403),
        ("/api/v1/guns/1/demand", "127.0.0.1", "127.0.0.1", {}, 401),
    ],
)
def test_from_this_machine_everybody_may_stop(
    path: str, host: str, caller: str, headers: dict[str, str], code: int
) -> None:
    behind = Behind()
    door = RequestGuard(behind, BEHIND_PROXY, Counter())
    answer = asked(door, path, host, caller, method="POST", headers=headers)
    assert answer.status_code == code
    assert behind.grant == (NO_TOKEN if code == 200 else None)


def test_a_stop_gets_in_where_everybody_else_waits() -> None:
    """As many requests as may be are under way, and none of them ends."""
    behind, refused = Behind(), Counter[str]()

    async def ask(door: RequestGuard, path: str, method: str = "GET") -> int:
        transport = httpx.ASGITransport(door)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.request(method, path)).status_code

    async def play() -> list[int]:
        held = asyncio.Event()

        async def hang(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/api/v1/station":
                entered.release()
                await held.wait()
            await behind(scope, receive, send)

        entered = asyncio.Semaphore(0)
        door = RequestGuard(hang, OPEN, refused)
        under_way = [asyncio.create_task(ask(door, "/api/v1/station")) for _ in range(UNDER_WAY)]
        for _ in under_way:
            await entered.acquire()
        codes = [
            await ask(door, "/api/v1/state"),
            await ask(door, "/healthz"),
            await ask(door, "/api/v1/emergency-stop", "POST"),
        ]
        held.set()
        assert set(await asyncio.gather(*under_way)) == {200}
        return [*codes, await ask(door, "/api/v1/state")]

    assert asyncio.run(play()) == [503, 200, 200, 200]
    assert refused == {"busy": 1}


def test_a_body_that_breaks_off_does_nothing() -> None:
    """What came of it may be JSON already."""
    behind = Behind()
    door = RequestGuard(behind, OPEN, Counter())
    parts = iter(
        [
            {"type": "http.request", "body": b'{"kw": 1}', "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(parts)

    async def send(_: Any) -> None:
        raise AssertionError

    headers = [(b"host", b"127.0.0.1"), (b"content-length", b"12")]
    scope = {"type": "http", "method": "PUT", "path": "/api/v1/guns/1/demand", "headers": headers}
    asyncio.run(door(scope, receive, send))
    assert not behind.reached


def test_a_kind_is_logged_once_a_minute_with_how_many_there_were(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr("verified_alloc.service.log.time.monotonic", lambda: now_s)
    log = logging.getLogger("tried")
    log.addFilter(OncePerKind())
    with caplog.at_level(logging.INFO):
        for at_s in (0.0, 1.0, SILENT_S - 1, SILENT_S):
            now_s = at_s
            for number in range(5):
                log.warning("refused: %s", number, extra={"kind": "refused"})
            log.warning("another")
    assert [record.getMessage() for record in caplog.records] == [
        "refused: 0",
        "another",
        "refused: 0 (and 14 before it)",
        "another (and 2 before it)",
    ]


def test_what_a_terminal_obeys_never_reaches_the_log() -> None:
    try:
        raise ValueError("\x1b[2Jgone")
    except ValueError as error:
        told = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", 30, "", 1, "from %s", ("\x1b[31m\n\u202eä\x00",), told)
    lines = OneLine("%(message)s").format(record).split("\n")
    assert lines[0] == "from \\x1b[31m\\n\\u202eä\\x00"
    assert lines[-1] == "ValueError: \\x1b[2Jgone"
    assert all(line.isprintable() for line in lines)


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
    assert told == Settings("0.0.0.0", 80, (Token(TOKEN, Grant("token_file", ADMIN)),))


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
        (ServiceConfig(trusted_proxy="proxy"), "allowed is an IP address"),
        (ServiceConfig(trusted_proxy="127.0.0.1"), "only with service.token_file"),
        (ServiceConfig(public_name="station.example"), "only with service.trusted_proxy"),
        (ServiceConfig(tokens=(TokenConfig("x", "/nowhere", READ),)), "no such file"),
        (ServiceConfig(tokens=(TokenConfig("", "/nowhere", READ),)), "allowed is a name"),
        (ServiceConfig(tokens=(TokenConfig("x", "f", READ, (1,)),)), "only with it"),
        (ServiceConfig(tokens=(TokenConfig("x", "f", DEMAND),)), "allowed are guns with"),
        (ServiceConfig(modbus="5020"), "service.modbus = '5020': allowed is HOST:PORT"),
        (ServiceConfig(modbus="0.0.0.0:502"), "allowed is the IP address of one network"),
        (ServiceConfig(modbus="[::]:502"), "allowed is the IP address of one network"),
        (ServiceConfig(modbus="station.example:502"), "allowed is the IP address of one network"),
        (ServiceConfig(modbus_write=True), "allowed only with service.modbus"),
        (ServiceConfig(mqtt="broker"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="http://broker"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="mqtt://user:word@broker"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="mqtt://broker:x"), "allowed is mqtt://"),
        (ServiceConfig(mqtt="mqtt://broker", mqtt_topic="a/#"), "allowed is a topic"),
        (
            ServiceConfig(mqtt="mqtt://broker", home_assistant="/a"),
            "home_assistant = '/a': allowed",
        ),
        (ServiceConfig(home_assistant="homeassistant"), "allowed only with service.mqtt"),
        (ServiceConfig(mqtt="mqtt://broker", mqtt_ca_file="/nowhere"), "allowed is a file"),
    ],
)
def test_configs_that_are_refused(config: ServiceConfig, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        settings(config, "tried")


def test_modbus_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verified_alloc.service.settings.find_spec", lambda _: None)
    with pytest.raises(BadInput, match=r"pip install 'verified-alloc\[modbus\]'"):
        settings(ServiceConfig(modbus="127.0.0.1:502"), "tried")


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
