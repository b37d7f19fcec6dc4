"""The report of a walk as one page to read, print and sign."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_STYLE = """
@page { size: A4; margin: 14mm }
* { box-sizing: border-box }
body { font: 10pt/1.4 system-ui, sans-serif; color: #1b1f24; max-width: 190mm; margin: 0 auto;
  padding: 6mm }
h1 { font-size: 17pt; margin: 0 }
h2 { font-size: 11.5pt; margin: 7mm 0 2mm; border-bottom: 1px solid #c9d1d9; padding-bottom: 1mm }
p, ul { margin: 1.5mm 0 }
.about { color: #57606a }
.verdict { display: inline-block; font-weight: 700; border-radius: 2mm; padding: 1.5mm 4mm;
  margin: 3mm 0 1mm }
.passed { background: #dafbe1; color: #0b5a22; border: 1px solid #0b5a22 }
.failed { background: #ffebe9; color: #9a1212; border: 1px solid #9a1212 }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
thead { display: table-header-group }
th { text-align: left; font-weight: 600; color: #57606a; border-bottom: 1px solid #8c959f }
th, td { padding: .6mm 2mm .6mm 0; vertical-align: middle }
tr { break-inside: avoid; border-bottom: 1px solid #eaeef2 }
td.bad { color: #9a1212; font-weight: 600 }
pre { background: #f6f8fa; border: 1px solid #d0d7de; border-radius: 1.5mm; padding: 2mm 3mm }
svg { display: block }
.signatures { display: grid; grid-template-columns: 1fr 1fr; gap: 12mm; margin-top: 14mm;
  break-inside: avoid }
.signatures div { border-top: 1px solid #1b1f24; padding-top: 1mm; color: #57606a }
"""

_BAR_MM, _BAR_HEIGHT_MM = 46, 4


def page(report: dict[str, Any]) -> str:
    """The report (`results.as_json`) as HTML that needs nothing else."""
    title = f"Commissioning of {report['station']}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="about">{escape(_about(report))}</p>',
        _verdict(report),
        *_findings(report["findings"]),
        "<h2>Contactors</h2>",
        _contactors(report),
        "<h2>Expanders</h2>",
        _table(
            ("address", "for", "verdict"),
            ((r["address"], r["drives"], r["verdict"]) for r in report["expanders"]),
        ),
        *_modules(report["modules"]),
        "<h2>Safety chain</h2>",
        _table(
            ("test", "seen", "verdict"),
            ((r["test"], r["said"], r["verdict"]) for r in report["proof_tests"]),
        ),
        *_times(report["timing"]),
        "<h2>Signatures</h2><p>The contactors were seen, or heard, to move as listed. Insulation,"
        " the off-delay of coil supply and reset, and what else the emergency stop cuts were tested"
        " by their own procedures.</p>",
        '<div class="signatures"><div>Technician: name, date, signature</div>'
        "<div>Responsible engineer: name, date, signature</div></div>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _about(report: dict[str, Any]) -> str:
    return (
        f"{report['ended']}, {report['program']}, hardware: {report['hardware']}."
        f" Each contactor was closed and opened {report['cycles']} times, one at a time, every"
        " module off."
    )


def _verdict(report: dict[str, Any]) -> str:
    good = sum(r["verdict"] == "good" for r in report["contactors"])
    counts = f"{good} of {len(report['contactors'])} contactors good"
    if report["modules"]:
        good = sum(r["verdict"] == "good" for r in report["modules"])
        counts += f", {good} of {len(report['modules'])} modules"
    name = "passed" if report["passed"] else "failed"
    return f'<p class="verdict {name}">{name.upper()}: {counts}</p>'


def _findings(findings: Sequence[str]) -> list[str]:
    if not findings:
        return []
    items = "".join(f"<li>{escape(finding)}</li>" for finding in findings)
    return [f"<h2>To be put right</h2><ul>{items}</ul>"]


def _contactors(report: dict[str, Any]) -> str:
    limits = report["timing"]["station_file"]
    operate_ms, release_ms = limits["contactor_operate_ms"], limits["contactor_release_ms"]
    return _table(
        (
            "contactor",
            "coil, contact",
            "pin",
            f"operate, ms (limit {operate_ms})",
            f"release, ms (limit {release_ms})",
            "verdict",
        ),
        (
            (
                r["contactor"],
                f"{r['output_expander']}, {r['feedback_expander']}",
                r["pin"],
                _bar(r["operate_ms"], operate_ms),
                _bar(r["release_ms"], release_ms),
                r["verdict"],
            )
            for r in report["contactors"]
        ),
        raw=(3, 4),
    )


def _bar(times_ms: Sequence[float], limit_ms: int) -> str:
    """Every cycle a mark, the limit a line; the slowest as a figure."""
    if not times_ms:
        return "-"
    worst_ms = max(times_ms)
    scale = 0.62 * _BAR_MM / limit_ms
    colour = "#9a1212" if worst_ms - 1 > limit_ms else "#0b5a22"

    def at(ms: float) -> float:
        return min(ms * scale, 0.76 * _BAR_MM)

    marks = "".join(
        f'<line x1="{at(ms):.1f}" x2="{at(ms):.1f}" y1="0.5" y2="{_BAR_HEIGHT_MM - 0.5}"'
        f' stroke="{colour}" stroke-width="0.5"/>'
        for ms in times_ms
    )
    return (
        f'<svg width="{_BAR_MM}mm" height="{_BAR_HEIGHT_MM}mm"'
        f' viewBox="0 0 {_BAR_MM} {_BAR_HEIGHT_MM}" role="img"'
        f' aria-label="{", ".join(f"{ms:g}" for ms in times_ms)} ms">'
        f'<rect x="0" y="1.4" width="{at(worst_ms):.1f}" height="{_BAR_HEIGHT_MM - 2.8}"'
        f' fill="{colour}" opacity="0.22"/>{marks}'
        f'<line x1="{at(limit_ms):.1f}" x2="{at(limit_ms):.1f}" y1="0" y2="{_BAR_HEIGHT_MM}"'
        ' stroke="#57606a" stroke-width="0.3" stroke-dasharray="0.8 0.6"/>'
        f'<text x="{_BAR_MM - 0.5}" y="3.1" font-size="3" text-anchor="end"'
        f' fill="{colour}">{worst_ms:.1f}</text></svg>'
    )


def _modules(modules: Sequence[dict[str, Any]]) -> list[str]:
    if not modules:
        return ["<h2>Modules</h2><p>Not tested: contactors only.</p>"]
    return [
        "<h2>Modules</h2>",
        _table(
            ("module", "enable", "status", "on after, ms", "off after, ms", "cut after", "verdict"),
            (
                (
                    str(r["module"]),
                    f"BCM {r['enable_bcm']}",
                    "-" if r["status_bcm"] is None else f"BCM {r['status_bcm']}",
                    _figure(r["on_ms"]),
                    _figure(r["off_ms"]),
                    _figure(r["cut_ms"]),
                    r["verdict"],
                )
                for r in modules
            ),
        ),
    ]


def _times(timing: dict[str, Any]) -> list[str]:
    if not timing["suggested"]:
        return []
    lines = "\n".join(
        f"{key} = {value}{'':3}# now {timing['station_file'][key]}"
        for key, value in timing["suggested"].items()
    )
    return [
        "<h2>Measured times, for the station file</h2>",
        "<p>The slowest contactor and a quarter more. The datasheet's worst case counts if it is"
        f" longer.</p><pre>[timing]\n{escape(lines)}</pre>",
    ]


def _figure(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:.1f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], raw: Sequence[int] = ()) -> str:
    """Columns in `raw` are HTML already; the last one is a verdict."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = ""
    for row in rows:
        cells = [text if n in raw else escape(text) for n, text in enumerate(row)]
        bad = "" if row[-1] in ("good", "passed", "not testable") else ' class="bad"'
        body += "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells[:-1])
        body += f"<td{bad}>{cells[-1]}</td></tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
