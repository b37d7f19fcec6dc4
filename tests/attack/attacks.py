"""Attacks on the door of a running station, over loopback: each says in a line what it tried and
what came of it, and fails if somebody else was kept out."""

import re
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
from service.served import Served

SILENT = 1300


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
        for method, path in (("GET", "/healthz"), ("POST", "/api/emergency-stop")):
            start_s = time.monotonic()
            try:
                codes[httpx.request(method, at_work.url + path, timeout=10).status_code] += 1
            except httpx.HTTPError as error:
                codes[type(error).__name__] += 1
            longest_s = max(longest_s, time.monotonic() - start_s)
    return codes, longest_s


def silence(at_work: Served, said: bytes = b"", count: int = SILENT, for_s: float = 3) -> Outcome:
    """Connections on which a request never comes to its end."""
    logged = len(at_work.said)
    with connections(at_work, count, said):
        codes, longest_s = answered(at_work, for_s)
    logged = len(at_work.said) - logged
    return Outcome(
        set(codes) == {200} and longest_s < 1 and logged < 10_000,
        f"{count} held: health and stop answer {dict(codes)}, at most {longest_s * 1000:.0f} ms,"
        f" {logged / 1000:.1f} kB of log",
    )


def flood(at_work: Served, headers: dict[str, str], count: int = 2000) -> Outcome:
    """Requests that must be refused, and then somebody who may come in."""
    codes: Counter[int] = Counter()
    with httpx.Client(base_url=at_work.url) as client:
        for _ in range(count):
            codes[client.get("/api/state", headers=headers).status_code] += 1
    after = httpx.get(f"{at_work.url}/api/state").status_code
    return Outcome(after == 200, f"{dict(codes)}, then another caller: {after}")


def spoof(at_work: Served, count: int = 2000) -> Outcome:
    """A caller that names another address each time, so as to have a bucket for each."""
    codes: Counter[int] = Counter()
    start_s = time.monotonic()
    with httpx.Client(base_url=at_work.url) as client:
        for number in range(count):
            forged = {"X-Forwarded-For": f"192.0.2.{number % 250}"}
            codes[client.get("/api/station", headers=forged).status_code] += 1
    rate = count / (time.monotonic() - start_s)
    return Outcome(codes[429] > 0 or rate < 350, f"{dict(codes)} at {rate:.0f} a second")


WRONG_TYPES = (
    ("PUT", "/api/guns/1/demand", '{"kw": true}'),
    ("PUT", "/api/guns/1/demand", '{"kw": "1_0"}'),
    ("PUT", "/api/guns/1/demand", '{"kw": "12"}'),
    ("PUT", "/api/guns/1_0/demand", '{"kw": 1}'),
    ("PUT", "/api/guns/+1/demand", '{"kw": 1}'),
    ("PUT", "/api/guns/%201/demand", '{"kw": 1}'),
    ("PUT", "/api/guns/%D9%A1/demand", '{"kw": 1}'),
    ("PUT", "/api/guns/1/hold", '{"seconds": true}'),
    ("PUT", "/api/guns/1/service", '{"in_service": 1}'),
    ("PUT", "/api/guns/1/service", '{"in_service": "yes"}'),
    ("PUT", "/api/site-limit", '{"limit_kw": true}'),
    ("PUT", "/api/site-limit", '{"limit_kw": "1_0"}'),
    ("POST", "/api/guns/1/acknowledgement", '{"offer_kw": false}'),
)


def wrong_types(at_work: Served) -> Outcome:
    """Values of a wrong type that look like right ones."""
    taken = [
        f"{path} {body}"
        for method, path, body in WRONG_TYPES
        if at_work.http.request(
            method, path, content=body, headers={"Content-Type": "application/json"}
        ).status_code
        not in (404, 422)
    ]
    return Outcome(not taken, f"{len(taken)} of {len(WRONG_TYPES)} taken: {taken}")


def raw(at_work: Served, head: str) -> bytes:
    """What is answered to those bytes."""
    with socket.create_connection(address(at_work), 5) as line:
        line.sendall(head.encode("latin-1"))
        line.settimeout(5)
        return line.recv(4096)


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return int(found[1]) if found else 0
