"""Writes the README's table of what is proved: `.venv/bin/python docs/properties.py`."""

from pathlib import Path

from proofs.suite import properties_table


def main() -> None:
    page = Path(__file__).parents[1] / "README.md"
    page.write_text(properties_table.in_page(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
