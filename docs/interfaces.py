"""Writes the registers in docs/modbus.md: `.venv/bin/python docs/interfaces.py`."""

from pathlib import Path

from verified_alloc.service.modbus_map import GUN, STATION, table

DOCS = Path(__file__).parent


def main() -> None:
    page = DOCS / "modbus.md"
    text = page.read_text(encoding="utf-8")
    for name, block, first in (("station", STATION, ""), ("gun", GUN, "100 N + ")):
        begin = f"<!-- {name}: filled by docs/interfaces.py -->\n"
        end = f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}{table(block, first)}\n{end}{rest.split(end)[1]}"
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
