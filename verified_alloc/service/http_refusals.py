"""What the HTTP interface refuses: in which words, with which status, counted by reason."""

import logging
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator
from starlette.exceptions import HTTPException as AnyHTTPException

from verified_alloc.service.models import Refusal, said_of
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.snapshot import Snapshot

ALWAYS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "The token is missing or wrong"},
    403: {
        "model": Refusal,
        "description": "A page of some other site asks, or the token's role does not allow it",
    },
    413: {"model": Refusal, "description": "The body is too large"},
    422: {"model": Refusal, "description": "Not as this document says"},
    429: {"model": Refusal, "description": "Too many requests"},
    503: {"model": Refusal, "description": "No scan is there to ask"},
}
NO_SUCH: dict[int | str, dict[str, Any]] = {
    404: {"model": Refusal, "description": "The station has no such thing"}
}
REFUSED: dict[int | str, dict[str, Any]] = {
    409: {"model": Refusal, "description": "The scan refuses it as things are; nothing changed"},
    400: {"model": Refusal, "description": "The body is no JSON"},
}


def _digits(text: object) -> object:
    """Only those: the number itself would also be taken from `+1`, `1_0` and other scripts."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError("input should be digits")
    return text


Number = Annotated[
    int, BeforeValidator(_digits), Path(ge=1, le=10_000, description="counted from 1")
]
FaultId = Annotated[str, Path(min_length=1, max_length=40, examples=["contactor-2:1"])]

PAGE = ["GET", "HEAD"]
"""What a page of the dashboard answers to."""

log = logging.getLogger("verified_alloc.door")


def seen(link: ScanLink) -> Snapshot:
    """The latest scan, while it is true."""
    if link.seen is None or not link.fresh:
        raise HTTPException(503, "the scan is silent: what the station does is not known")
    return link.seen


def known(kind: str, number: int, count: int) -> int:
    """A gun or a module that the station has."""
    if number > count:
        raise HTTPException(404, f"{kind} {number}: allowed are {kind}s 1 to {count}")
    return number


def refuse_in_one_line(app: FastAPI, link: ScanLink) -> None:
    """Whatever is refused says so in one line."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        no_json = first["type"] == "json_invalid"
        link.refused["invalid"] += 1
        said = "the body is no JSON" if no_json else said_of(where, first["input"], first["msg"])
        log.warning("refused: invalid: %s", said, extra={"kind": "invalid"})
        return JSONResponse({"detail": said}, 400 if no_json else 422)

    @app.exception_handler(AnyHTTPException)
    async def refused(request: Request, error: AnyHTTPException) -> JSONResponse:
        if error.status_code == 403:
            link.refused["role"] += 1
        if error.status_code in (404, 405):
            link.refused["unknown"] += 1
        if error.status_code == 405:
            path = request.url.path
            methods = _methods(app, path) or ([] if path.startswith("/api/v1/") else PAGE)
            if not methods:
                return JSONResponse({"detail": "Not Found"}, 404)
            return JSONResponse({"detail": error.detail}, 405, {"Allow": ", ".join(methods)})
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _methods(app: FastAPI, path: str) -> list[str]:
    """All that this path of the interface answers to."""
    known = [operation for at, operation in app.openapi()["paths"].items() if _is(at, path)]
    return sorted(method.upper() for each in known for method in each)


def _is(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        part.startswith("{") or part == its for part, its in zip(parts, given, strict=True)
    )
