"""Errors that are ours: one family, and each ends a command with the code that is written down."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import hardware
import verified_alloc
from verified_alloc import errors


def public_errors() -> Iterator[type[BaseException]]:
    for package in (verified_alloc, hardware):
        inside = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        for name in (package.__name__, *(module.name for module in inside)):
            if name.endswith("__main__"):
                continue
            for kind in vars(importlib.import_module(name)).values():
                if isinstance(kind, type) and issubclass(kind, BaseException):
                    public = kind.__module__ == name and not kind.__name__.startswith("_")
                    yield from [kind] if public else []


FAMILY = sorted(set(public_errors()), key=lambda error: error.__name__)


@pytest.mark.parametrize("error", FAMILY)
def test_every_public_error_is_of_the_family_and_written_down(error: type[BaseException]) -> None:
    assert issubclass(error, errors.VerifiedAllocError)
    assert errors.__doc__ is not None
    assert error.__name__ in errors.__doc__
    for line in errors.__doc__.splitlines():
        if line.split()[:1] == [error.__name__]:
            assert line.split()[1] == str(error.exit_code)


def test_the_family_is_found() -> None:
    names = {error.__name__ for error in FAMILY}
    assert {"BadInput", "DeviceLost", "NoAnswer", "Busy", "NoStation", "WorkLost"} <= names
