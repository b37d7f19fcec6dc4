"""Writes docs/assumptions.md from proofs/plant.py: `.venv/bin/python docs/assumptions.py`."""

from pathlib import Path

from proofs.suite import assumptions_page


def main() -> None:
    page = Path(__file__).with_suffix(".md")
    page.write_text(assumptions_page.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
