"""What every page has: its styles in light and dark, its charts' data, and the code that draws them. No address."""

import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from lrsearch.report.charts import Chart, as_data
from lrsearch.report.export import to_yaml
from lrsearch.report.palette import CATEGORIES, DARK, LIGHT, dark_of

_NAMED = (("ink", "ink"), ("soft", "soft_ink"), ("faint", "faint"), ("paper", "paper"))
_SCRIPTS = ("vendor/d3.min.js", "vendor/plot.umd.min.js", "charts.js")
"""D3 and Observable Plot, both under the ISC licence, as published; their licences lie beside them."""


def page(
    title: str,
    subtitle: str,
    body: Iterable[str],
    footer: Iterable[str],
    charts: Iterable[Chart],
    ramps: Iterable[int] = (),
) -> str:
    """Put a page together.

    Args:
        title: plain text, as are the subtitle and the footer's paragraphs.
        subtitle: below it.
        body: HTML, in which ``chart`` makes the places of charts.
        footer: paragraphs.
        charts: the data that the charts are drawn from.
        ramps: for each ladder that is drawn, how many candidates it has.
    """
    of_candidates = {light: dark for count in ramps for light, dark in dark_of(count).items()}
    colours = CATEGORIES | dark_of(1) | of_candidates
    # "<" would end the element that holds the data.
    data = json.dumps([as_data(chart) for chart in charts], ensure_ascii=False, separators=(",", ":"))
    return Template(_read("shell.html")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        light_colours=_named(LIGHT) + "".join(f"--{light[1:]}: {light}; " for light in colours),
        dark_colours=_named(DARK) + "".join(f"--{light[1:]}: {dark}; " for light, dark in colours.items()),
        body="\n".join(body),
        footer="\n".join(f"<p>{escape(text)}</p>" for text in footer),
        charts=data.replace("<", "\\u003c"),
        scripts="\n".join(f"<script>\n{_read(name)}</script>" for name in _SCRIPTS),
    )


CONTROLS = """<form class="controls" hidden>
<label>Smoothing <select name="smoothing"><option value="1">none</option><option value="3">3 evaluations</option>
<option value="5">5 evaluations</option><option value="9">9 evaluations</option></select></label>
<label>Scale <select name="scale"><option value="own">as each fits</option><option value="linear">linear</option>
<option value="log">logarithmic</option></select></label>
</form>"""
"""What the reader sets for all curves; shown where the charts are drawn."""


def chart(name: str, words: str, caption: str, still: str = "") -> str:
    """Give the place of a chart.

    Args:
        name: the chart's ``slug``.
        words: what it shows, for those who do not see it.
        caption: below it.
        still: the same as an ``svg`` element, for where no scripts run.
    """
    said = escape(words)
    inside = (
        f'<div class="scroll still" tabindex="0" role="img" aria-label="{said}">{still}</div>'
        if still
        else ""
    )
    return (
        f'<figure data-chart="{escape(name)}" data-words="{said}">{inside}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def as_yaml(content: Mapping[str, Any]) -> str:
    """Give the content of a study's YAML, to be opened and copied."""
    return (
        "<details>\n<summary>As YAML, with the evidence in short</summary>\n"
        '<div class="yaml"><button type="button" hidden>Copy</button>'
        f'<pre tabindex="0"><code>{escape(to_yaml(content))}</code></pre></div>\n</details>'
    )


def made_text(content: Mapping[str, Any]) -> str:
    """Say what a study was made with."""
    made_with = ", ".join(f"{name} {version}" for name, version in content["made_with"].items())
    return f"lrsearch {content['lrsearch']}, {made_with}. Fingerprint {content['fingerprint']}."


def _named(theme: object) -> str:
    return "".join(f"--{name}: {getattr(theme, field)}; " for name, field in _NAMED)


def _read(name: str) -> str:
    return (files("lrsearch.report.pages") / name).read_text(encoding="utf-8")
