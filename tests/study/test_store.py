"""Results on disk."""

from pathlib import Path

import pytest

from verified_alloc.errors import BadInput
from verified_alloc.study.store import Store


def test_results_come_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    with Store(path) as store:
        store.add("a", {"x": 0.1})
        store.add("b", {"x": None})
        with Store(path) as reader:  # they are with the system as soon as `add` returns
            assert reader.results == store.results
    with Store(path) as store:
        assert store.results == {"a": {"x": 0.1}, "b": {"x": None}}
        store.add("c", {})
    with Store(path) as store:
        assert list(store.results) == ["a", "b", "c"]


def test_cut_anywhere_it_has_every_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Store(path) as store:
        for key in "abc":
            store.add(key, {"unmet_percent": 1 / 3, "key": key})
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        with Store(path) as store:
            assert list(store.results) == list("abc")[: whole[:size].count(b"\n")]
            store.add("d", {})
        with Store(path) as store:
            assert list(store.results)[-1] == "d"


def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for text in ("time_s,gun\n1,2\n", "[1]\n", '{"key": "a"}\n'):
        path.write_text(text)
        with pytest.raises(BadInput, match="is no result; allowed is what a study has written"):
            Store(path)
        assert path.read_text() == text


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="allowed is a folder to write in"):
        Store(tmp_path / "file" / "results.jsonl")
