"""What the virtual Pi is made of, and what it says where that cannot be made."""

import os
import shutil

import pytest
from image import TOOLS, missing


def test_packages_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool in ("fdtput", "cpio") else tool)
    assert missing().endswith("apt install device-tree-compiler cpio")
    assert missing("cpio", "zstd").endswith("apt install cpio")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert all(package in missing() for package in TOOLS.values())


@pytest.mark.parametrize(("user", "complains"), [(0, False), (1000, True)])
def test_it_must_be_root(monkeypatch: pytest.MonkeyPatch, user: int, complains: bool) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("root" in missing()) is complains
