"""Talks to a running station from the shell."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException, InvalidURL
from typing import Any

from verified_alloc.errors import BadInput, VerifiedAllocError, shown
from verified_alloc.service.settings import secret

WITHIN_S = 5.0


class NoStation(VerifiedAllocError):
    """Nobody answers, or nobody who knows."""


class Client:
    """One station, by the address of its service."""

    def __init__(self, at: str, token_file: str | None) -> None:
        self._at = at if "://" in at else f"http://{at}"
        self._token = secret("--token-file", token_file) if token_file else None

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer to a request; `BadInput` if it is refused, `NoStation` if nobody answers."""
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(self._at + path, data, headers, method=method)
            # No proxy: a station is near.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=WITHIN_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = _detail(error)
            if error.code >= 500:
                raise NoStation(f"station at {self._at}: {said}") from None
            raise BadInput(said) from None
        except (ValueError, InvalidURL) as error:
            raise BadInput(
                f"--at {shown(self._at)}: {error}; allowed is HOST:PORT of a running station"
            ) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise NoStation(
                f"no station answers at {self._at} ({reason}); verified-alloc run starts one"
            ) from None


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"HTTP {error.code}"
