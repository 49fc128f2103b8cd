"""The report's figures, as SVG for HTML."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .case_scores import SCORES, CaseScore, values
from .ranking import Ranking
from .statistics import mean_intervals
from .summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours without the yellow, which is too pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "osD^vPX*"
_DASHES = ("solid", "dashed", "dashdot", "dotted")
_MOST_PANELS = 12
_MOST_LETTERS = 24
# More lines would hide one another; more points would make the file large as SVG.
_MOST_LINES = 60
_MOST_POINTS = 2000
_SEED = 1
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 150,
}
# Ids that matplotlib numbers from 1 in every figure; a page must not contain them twice.
_NUMBERED = re.compile(r' id="[A-Za-z0-9]+(?:\.[a-z]+)?_\d{1,4}"')


def curves(summary: Summary) -> str:
    """Dice after each prompt: mean over cases and its interval, for all cases and by modality."""
    modalities = list(summary.modalities)
    shown = modalities[: _MOST_PANELS - 1] if len(modalities) > 1 else []
    figure, panels = _panels(1 + len(shown))
    for axes, modality in zip(panels, ["", *shown], strict=True):
        scores = {
            model: {c: s for c, s in of_model.items() if modality in ("", s.modality)}
            for model, of_model in summary.scores.items()
        }
        _curve_panel(axes, scores)
        cases = len(set(itertools.chain(*scores.values())))
        counted = f"{cases} case{'' if cases == 1 else 's'}"
        axes.set_title(f"{_short(modality or 'all')} ({counted})", parse_math=False)
    _legend(figure, list(summary.scores))
    return _svg(figure, "Mean Dice after each prompt, by model")


def _curve_panel(axes: Axes, scores: Mapping[str, Mapping[str, CaseScore]]) -> None:
    for n, of_model in enumerate(scores.values()):
        if not of_model:
            continue
        dsc = np.stack([case.dsc for case in of_model.values()], axis=1)
        clicks = np.arange(len(dsc))
        low, high = mean_intervals(dsc).T
        colour, marker, dashes = _line_style(n)
        axes.fill_between(clicks, low, high, color=colour, alpha=0.15, linewidth=0)
        means = dsc.mean(axis=1)
        axes.plot(clicks, means, marker=marker, linestyle=dashes, color=colour, markersize=4)
    axes.set_ylim(0, 1)
    _whole_numbers(axes)
    axes.set_xlabel("clicks after the first prompt")
    axes.set_ylabel("Dice")
    axes.grid(alpha=0.3)


def strips(summary: Summary) -> str:
    """Every case as a dot for each model; lines connect a case's dots if there are few."""
    figure, panels = _panels(2, width=max(5.0, 0.9 * len(summary.models)))
    for axes, score in zip(panels, ("dsc_final", "nsd_final"), strict=True):
        by_model = {model: values(scores, score) for model, scores in summary.scores.items()}
        _strip_panel(axes, by_model, summary, score)
        axes.set_title(SCORES[score].heading)
    return _svg(figure, "Dice and surface Dice of every case at the end, by model")


def _strip_panel(
    axes: Axes, by_model: Mapping[str, Mapping[str, float]], summary: Summary, score: str
) -> None:
    rng = np.random.default_rng(_SEED)
    cases = list(dict.fromkeys(itertools.chain(*by_model.values())))
    aside = dict(zip(cases, rng.uniform(-0.18, 0.18, len(cases)), strict=True))
    if len(cases) <= _MOST_LINES:
        for case in cases:
            at = [
                (n + aside[case], own[case])
                for n, own in enumerate(by_model.values())
                if case in own
            ]
            axes.plot(*zip(*at, strict=True), color="#999999", linewidth=0.5, alpha=0.6, zorder=1)
    many = sum(map(len, by_model.values())) > _MOST_POINTS
    for n, (model, own) in enumerate(by_model.items()):
        colour, marker, _ = _line_style(n)
        axes.scatter(
            [n + aside[case] for case in own],
            list(own.values()),
            s=8 if many else 14,
            color=colour,
            marker=marker,
            alpha=0.3 if many else 0.7,
            linewidths=0,
            zorder=2,
            rasterized=many,
        )
        mean = summary.models[model].means[score]
        low, high = summary.models[model].intervals[score]
        axes.plot([n - 0.3, n + 0.3], [mean, mean], color="black", linewidth=1.5, zorder=3)
        axes.plot([n, n], [low, high], color="black", linewidth=1.5, zorder=3)
    _name_models(axes, list(by_model))
    axes.set_ylim(-0.02, 1.02)
    axes.grid(axis="y", alpha=0.3)


def stability(rankings: Mapping[str, Ranking]) -> str:
    """How often each model took each place in resampled cases, as areas of discs.

    The blob plot of challengeR (Wiesenfarth et al. 2021).
    """
    most = max(len(ranking.models) for ranking in rankings.values())
    figure, panels = _panels(len(rankings), width=max(3.2, 0.75 * most + 0.8))
    for axes, (score, ranking) in zip(panels, rankings.items(), strict=True):
        count = len(ranking.models)
        for n in range(count):
            for place in range(count):
                share = ranking.frequencies[n, place]
                if share == 0:
                    continue
                axes.scatter(n, place + 1, s=500 * share, color="#56B4E9", linewidths=0, zorder=2)
                if share >= 0.005:
                    text = f"{100 * share:.0f} %"
                    axes.text(n, place + 1, text, ha="center", va="center", fontsize=7, zorder=4)
            # A line without length would be a dot on the number.
            if ranking.low[n] < ranking.high[n]:
                axes.plot([n, n], [ranking.low[n], ranking.high[n]], color="black", linewidth=0.8)
        axes.scatter(
            range(count),
            ranking.by_mean,
            marker="s",
            s=620,
            facecolors="none",
            edgecolors="black",
            linewidths=0.8,
            zorder=3,
        )
        _name_models(axes, ranking.models)
        axes.set_ylim(count + 0.6, 0.4)
        axes.set_yticks(range(1, count + 1))
        axes.set_ylabel("place")
        axes.set_title(f"{SCORES[score].heading} ({ranking.cases} cases)")
    return _svg(figure, "How often each model took each place among resampled cases")


def targets(summary: Summary) -> str:
    """The share of objects that reached the target, by number of interactions."""
    figure, (axes,) = _panels(1, width=5.0)
    for n, target in enumerate(summary.targets.values()):
        colour, marker, dashes = _line_style(n)
        axes.step(
            np.arange(len(target.within) + 1),
            [0, *(100 * target.within)],
            where="post",
            marker=marker,
            markersize=4,
            color=colour,
            linestyle=dashes,
        )
    axes.set_ylim(0, 102)
    _whole_numbers(axes)
    axes.set_xlabel("interactions, including the first prompt")
    axes.set_ylabel("objects at the target (%)")
    axes.grid(alpha=0.3)
    _legend(figure, list(summary.targets))
    return _svg(figure, "Share of objects that reached the target, by interactions")


def _panels(count: int, width: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes, arranged in lines that fit a page."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    columns = max(1, min(count, int(11 / width)))
    lines = -(-count // columns)
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(width * columns, 2.9 * lines + 0.4), layout="constrained")
        panels = list(figure.subplots(lines, columns, squeeze=False).ravel())
    # A title must not touch the label of the panel above it, or the title beside it.
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.1)
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count]


def _line_style(n: int) -> tuple[str, str, Any]:
    """Colour, marker and dashes of the nth model, different for as many models as possible."""
    return (
        _COLOURS[n % len(_COLOURS)],
        _MARKERS[n % len(_MARKERS)],
        _DASHES[n // len(_COLOURS) % len(_DASHES)],
    )


def _short(name: str) -> str:
    """A name shortened to fit in a figure."""
    return name if len(name) <= _MOST_LETTERS else f"{name[: _MOST_LETTERS - 1]}…"


def _name_models(axes: Axes, models: Sequence[str]) -> None:
    names = list(map(_short, models))
    turned = len(models) > 1 and max(map(len, names)) > 8
    axes.set_xticks(
        range(len(models)), names, rotation=30 if turned else 0, ha="right" if turned else "center"
    )
    for label in axes.get_xticklabels():
        label.set_parse_math(False)
    axes.set_xlim(-0.6, len(models) - 0.4)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(figure: Figure, models: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    styles = map(_line_style, range(len(models)))
    handles = [Line2D([], [], color=c, marker=m, linestyle=d, markersize=4) for c, m, d in styles]
    # matplotlib omits names that begin with _; a space without width prevents that.
    names = [f"\u200b{model}" for model in models]
    legend = figure.legend(
        handles, names, loc="outside lower center", ncols=min(len(names), 4), frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _svg(figure: Figure, description: str) -> str:
    """The figure as an element of a page, with a description for screen readers."""
    from matplotlib import rc_context

    text = io.StringIO()
    # The salt of the ids within the figure, so that those of two figures differ.
    with rc_context({**_SETTINGS, "svg.hashsalt": description}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    svg = _NUMBERED.sub("", svg[svg.index("<svg") :])
    return svg.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)
