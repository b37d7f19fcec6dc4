"""Attacks on the door of a running station, over loopback: each says in a line what it tried and
what came of it, and fails if somebody else was kept out."""

import os
import resource
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import httpx
from attack.forged import FORGED, answers
from service.served import Served, eventually

SILENT, PRESSED_S = 1300, 3.0
"""Connections that are held, and for how long others then try."""


class Outcome(NamedTuple):
    """Of one attack."""

    held: bool
    figure: str


def address(at_work: Served) -> tuple[str, int]:
    host, port = at_work.url.removeprefix("http://").split(":")
    return host, int(port)


@contextmanager
def connections(at_work: Served, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many, opened and kept, on which only that was said."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 200)), hard))
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            held.append(socket.create_connection(address(at_work), 5))
            if said:
                held[-1].send(said)
        yield held
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answered(at_work: Served, seconds: float) -> tuple[Counter[Any], float]:
    """What health and stop answer for so long, each over a connection of its own, and the longest
    that one of them took, s."""
    codes: Counter[Any] = Counter()
    longest_s, until_s = 0.0, time.monotonic() + seconds
    while time.monotonic() < until_s:
        for method, path in (("GET", "/healthz"), ("POST", "/api/v1/emergency-stop")):
            start_s = time.monotonic()
            try:
                codes[httpx.request(method, at_work.url + path, timeout=10).status_code] += 1
            except httpx.HTTPError as error:
                codes[type(error).__name__] += 1
            longest_s = max(longest_s, time.monotonic() - start_s)
    return codes, longest_s


def silence(at_work: Served, said: bytes = b"") -> Outcome:
    """Connections on which a request never comes to its end."""
    logged = len(at_work.said)
    with connections(at_work, SILENT, said):
        codes, longest_s = answered(at_work, PRESSED_S)
    logged = len(at_work.said) - logged
    return Outcome(
        set(codes) == {200} and logged < 10_000,
        f"{SILENT} held: health and stop answer {dict(codes)}, at most {longest_s * 1000:.0f} ms,"
        f" {logged / 1000:.1f} kB of log",
    )


def flood(at_work: Served, count: int = 2000) -> Outcome:
    """Many requests at once that must be refused; then somebody who may come in."""
    before = Counter[int]()
    with ThreadPoolExecutor(16) as many, httpx.Client(base_url=at_work.url) as client:
        told = {"Host": "evil.example"}
        for answer in many.map(lambda _: client.get("/api/v1/state", headers=told), range(count)):
            before[answer.status_code] += 1
        after = httpx.get(f"{at_work.url}/api/v1/station").status_code
    return Outcome(
        set(before) == {403} and after == 200, f"{dict(before)}, then another caller: {after}"
    )


def spoof(at_work: Served) -> Outcome:
    """A caller that says it is somebody else: who is refused is written down."""
    told = {"X-Forwarded-For": "192.0.2.66", "Origin": "http://evil.example"}
    before = len(at_work.said)
    httpx.get(f"{at_work.url}/api/v1/station", headers=told)
    line = eventually(lambda: at_work.said[before:].rpartition("wrong origin")[2]).splitlines()[0]
    return Outcome("192.0.2.66" not in line, f"taken for one{line.partition(':')[0]}")


WRONG_TYPES = (
    ("PUT", "/api/v1/guns/1/demand", '{"kw": true}'),
    ("PUT", "/api/v1/guns/1/demand", '{"kw": "1_0"}'),
    ("PUT", "/api/v1/guns/1/demand", '{"kw": "12"}'),
    ("PUT", "/api/v1/guns/1_0/demand", '{"kw": 1}'),
    ("PUT", "/api/v1/guns/+1/demand", '{"kw": 1}'),
    ("PUT", "/api/v1/guns/%201/demand", '{"kw": 1}'),
    ("PUT", "/api/v1/guns/%D9%A1/demand", '{"kw": 1}'),
    ("PUT", "/api/v1/guns/1/hold", '{"seconds": true}'),
    ("PUT", "/api/v1/guns/1/service", '{"in_service": 1}'),
    ("PUT", "/api/v1/guns/1/service", '{"in_service": "yes"}'),
    ("PUT", "/api/v1/limits", '{"limit_kw": true}'),
    ("PUT", "/api/v1/limits", '{"limit_kw": "1_0"}'),
    ("POST", "/api/v1/guns/1/acknowledgement", '{"offer_kw": false}'),
)


def wrong_types(at_work: Served) -> Outcome:
    """Values of a wrong type that look like right ones."""
    taken = [
        f"{path} {body}"
        for method, path, body in WRONG_TYPES
        if at_work.http.request(
            method, path, content=body, headers={"Content-Type": "application/json"}
        ).status_code
        != 422
    ]
    return Outcome(not taken, f"{len(taken)} of {len(WRONG_TYPES)} taken: {taken}")


HEADS = (
    ("Host: me@127.0.0.1", 403),
    ("Host: 127.0.0.1:x", 403),
    ("Host: [::1]evil.example", 403),
    ("Host: [::1", 403),
    ("Host: 127.0.0.1\r\nHost: evil.example", 400),
    ("Host: 127.0.0.1\r\nOrigin: http://evil.example\r\nOrigin: http://127.0.0.1", 400),
)


def heads(at_work: Served) -> Outcome:
    """Hosts and origins that two readers read in two ways."""
    codes = [
        status(at_work, f"GET /api/v1/station HTTP/1.1\r\n{head}\r\n\r\n") for head, _ in HEADS
    ]
    let_in = [head for (head, _), code in zip(HEADS, codes, strict=True) if code == 200]
    return Outcome(codes == [code for _, code in HEADS], f"{len(let_in)} let in: {let_in}")


def status(at_work: Served, said: str) -> int:
    """Of the answer to those bytes."""
    with socket.create_connection(address(at_work), 5) as line:
        line.sendall(said.encode("latin-1"))
        return int(line.makefile("rb").readline().split()[1])


def stopped(at_work: Served) -> Outcome:
    """The service process stands still."""
    stuck = at_work.service_pid
    os.kill(stuck, signal.SIGSTOP)
    start_s = time.monotonic()
    try:
        eventually(lambda: quickly_healthy(at_work), 30)
    except AssertionError:
        return Outcome(False, "health is silent for 30 s")
    finally:
        with suppress(ProcessLookupError):
            os.kill(stuck, signal.SIGCONT)
    return Outcome(True, f"health is silent for {time.monotonic() - start_s:.1f} s")


def quickly_healthy(at_work: Served) -> bool:
    try:
        return httpx.get(f"{at_work.url}/healthz", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


def forged(_: Served) -> Outcome:
    """Packets on the line to the scan that no honest service process sends."""
    killed = 0
    for packet in FORGED:
        try:
            answers(packet)
        except Exception:
            killed += 1
    return Outcome(not killed, f"{killed} of {len(FORGED)} end the scan")


class Attack(NamedTuple):
    """And what came of it before there was a defence."""

    name: str
    play: Callable[[Served], Outcome]
    before: str


ATTACKS = (
    Attack("silent", silence, "no answer within 10 s, 25 MB of log"),
    Attack(
        "half a head",
        lambda at: silence(at, b"POST /api/v1/emergency-stop HTTP/1.1\r\nHo"),
        "no answer within 10 s, 22 MB of log",
    ),
    Attack(
        "half a body",
        lambda at: silence(
            at, b"PUT /api/v1/limits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
        ),
        "one of two answers is 503, 3.8 MB of log",
    ),
    Attack(
        "refused flood",
        flood,
        "{403: 1136, 429: 864}: of what all of that address are allowed nothing was left",
    ),
    Attack("spoofed address", spoof, "taken for one from 192.0.2.66"),
    Attack("wrong types", wrong_types, "12 of 13 taken"),
    Attack("ambiguous heads", heads, "4 let in"),
    Attack("forged orders", forged, "17 of 36 end the scan"),
    Attack("stopped process", stopped, "health is silent for 30 s, and on"),
)
