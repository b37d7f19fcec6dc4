"""What has changed from one state to the next, as a JSON merge patch (RFC 7396)."""

from typing import Any

IDS = {
    "guns": ("gun",),
    "modules": ("module",),
    "contactors": ("gun", "module"),
    "faults": ("id",),
    "proof_tests": ("test",),
    "notes": ("number",),
}
"""The lists of a state whose members change one by one, and what tells those apart."""


def by_ids(state: dict[str, Any]) -> dict[str, Any]:
    """The state with these lists as objects: a merge patch can only replace a list."""
    named = {
        key: {":".join(str(one[part]) for part in ids): one for one in state[key]}
        for key, ids in IDS.items()
    }
    return {**state, **named}


def merge_patch(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What makes `now` of `before`. A null inside it removes, so a value that turned null is told
    apart by nobody: who reads it takes what is missing for null."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - now.keys())
    for key, value in now.items():
        was = before.get(key)
        if key in before and was == value:
            continue
        if isinstance(was, dict) and isinstance(value, dict):
            patch[key] = merge_patch(was, value)
        else:
            patch[key] = value
    return patch
