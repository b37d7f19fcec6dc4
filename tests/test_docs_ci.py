"""The recipe for CI uses what there is."""

import re
from pathlib import Path

import pytest

from verified_alloc import cli

PAGE = (Path(__file__).parents[1] / "docs" / "ci.md").read_text(encoding="utf-8")


def test_every_option_of_the_recipe_exists(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["prove", "--help"])
    helped = capsys.readouterr().out
    recipe = " ".join(re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL))
    proving = re.findall(r"verified-alloc prove (.*?)(?=\n      -|\n\w|$)", recipe, flags=re.DOTALL)
    told = set(re.findall(r"--[a-z]+", " ".join(proving)))
    assert {"--station", "--junit", "--markdown", "--certificates", "--attest", "--full"} <= told
    assert all(option in helped for option in told)
