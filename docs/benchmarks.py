"""Fills the README's table from the last `make bench`: `.venv/bin/python docs/benchmarks.py`.

A benchmark says what it measured in printed lines, `what: figure, at most bound` or `at least`.
"""

import platform
import re
import subprocess
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / ".benchmarks" / "bench.xml"
LINE = re.compile(r"(?P<what>[^:\n]+): (?P<figure>.+), (?P<bound>at (?:most|least) .+)")
BEGIN, END = "<!-- benchmarks: filled by docs/benchmarks.py -->", "<!-- end of benchmarks -->"


def main() -> None:
    printed = [out.text or "" for out in ET.parse(RESULTS).iter("system-out")]
    rows = [line.groupdict() for text in printed for line in LINE.finditer(text)]
    table = ["| what | measured | bound |", "|---|---|---|"]
    table += [f"| {row['what']} | {row['figure']} | {row['bound']} |" for row in rows]
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    filled = "\n".join([BEGIN, measured_on(), "", *table, END])
    readme.write_text(before + filled + after, encoding="utf-8")


def measured_on() -> str:
    commit = ["git", "rev-parse", "--short", "HEAD"]
    at = subprocess.check_output(commit, cwd=ROOT, text=True).strip()
    return (
        f"Measured on {date.today()} at commit {at}, {platform.machine()}, "
        f"{platform.python_implementation()} {platform.python_version()}."
    )


if __name__ == "__main__":
    main()
