"""The chart: `python -m benchmarks.chart RESULTS.json PATH` draws PATH.svg and PATH.png, wherever matplotlib is."""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

OURS = "Postroom"
ACCENT, PEERS, INK, BACKGROUND = "#d9480f", "#8a94a3", "#24292f", "#ffffff"
"""A background of its own, so that it reads the same on a light page and on a dark one."""


def draw(results: dict[str, Any], path: Path) -> None:
    """One panel for each server, a bar for each contender, the fastest on top."""
    rows = [row for row in results["rows"] if row["figure"]["name"] == "drain"]
    servers = list(dict.fromkeys(row["server"] for row in rows))
    rates = {(row["server"], row["contender"]): median(row["values"]) for row in rows}
    names = sorted({name for _, name in rates}, key=lambda name: rates.get((servers[0], name), 0.0))
    mpl.rcParams.update(
        {"font.family": "DejaVu Sans", "font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "bench"}
    )
    height = 1.5 + 0.34 * len(names)
    figure, panels = plt.subplots(1, len(servers), figsize=(5.2 * len(servers), height), sharey=True, squeeze=False)
    for panel, server in zip(panels[0], servers, strict=True):
        _panel(panel, server, names, [rates.get((server, name), 0.0) for name in names])
    figure.patch.set_facecolor(BACKGROUND)
    figure.suptitle(
        "No-op jobs a second, drained by one worker", x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold"
    )
    note = f"medians of {results['runs']} · {results['machine']} · {results['date']} · settings: results.md"
    figure.text(0.01, 0.01, note, color=INK, fontsize=8)
    figure.tight_layout(rect=(0, 0.03, 1, 0.99))
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=144)


def _panel(panel: Any, server: str, names: list[str], rates: list[float]) -> None:
    colours = [ACCENT if name == OURS else PEERS for name in names]
    bars = panel.barh(names, rates, color=colours, height=0.72)
    panel.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=4, color=INK, fontsize=9)
    panel.set_title(server, loc="left", color=INK, fontsize=11)
    panel.set_facecolor(BACKGROUND)
    panel.set_xlim(0, max(rates) * 1.18)
    panel.xaxis.set_visible(False)
    panel.tick_params(axis="y", length=0, colors=INK)
    for side in ("top", "right", "bottom", "left"):
        panel.spines[side].set_visible(False)
    for label in panel.get_yticklabels():
        if label.get_text() == OURS:
            label.set_fontweight("bold")
            label.set_color(ACCENT)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
