"""Messages of the section "Compare models"."""

from __future__ import annotations

from collections.abc import Sequence

from ...registry import card
from ..comparison.comparison import ModelComparison
from ..comparison.requests import FEWEST, MOST
from ..comparison.results import ModelResult, Stage
from .model_messages import weights_fault
from .progress_phrases import translated
from .translation import tr as _

ARRANGEMENTS = {
    "rows": _("A row for each model"),
    "outlines": _("All outlines in your views"),
}


def hint(has_volume: bool, has_prompts: bool, chosen: int) -> str:
    """The step that is missing for a comparison, or its purpose."""
    if not has_volume:
        return _("First choose a volume above.")
    if not has_prompts:
        return _("Draw a box or click first, or use saved prompts.")
    if not FEWEST <= chosen <= MOST:
        return _("Tick {fewest} to {most} models.").format(fewest=FEWEST, most=MOST)
    return _("Each model gets your prompts. Your segments are not changed until you use a result.")


def status(comparison: ModelComparison) -> str:
    """The progress of a comparison."""
    results, running = comparison.results, comparison.running
    if running is not None:
        return _("{title}, {n} of {count}: {phrase}").format(
            title=running.title,
            n=results.index(running) + 1,
            count=len(results),
            phrase=translated(comparison.phrase) or _("waiting for its turn"),
        )
    if comparison.scoring.is_busy:
        return _("Measuring…")
    return ""


def notes(comparison: ModelComparison) -> str:
    """Notes on single models, a line for each."""
    sentences = [(found.title, _sentence(found)) for found in comparison.results]
    lines = [f"{title}: {sentence}" for title, sentence in sentences if sentence]
    stopped = [found.title for found in comparison.results if found.stage is Stage.STOPPED]
    if stopped:
        lines.append(_("Not run: {titles}.").format(titles=", ".join(stopped)))
    return "\n".join(lines)


def _sentence(found: ModelResult) -> str:
    """The reason why a result failed, or its notes; without commands of the command line."""
    fault = weights_fault(card(found.model)) if found.stage is Stage.FAILED else ""
    return fault or found.sentence


def used(title: str, name: str, model_title: str) -> str:
    """The message for a used result, and what the next prompt does."""
    sentence = _("{name} is now the result of {title}; Undo restores the previous segment.").format(
        name=name, title=title
    )
    if title != model_title:
        advice = _("To continue with {title}, choose it as the model above.")
        sentence += " " + advice.format(title=title)
    return sentence


def legend(results: Sequence[ModelResult], colors: Sequence[tuple[float, float, float]]) -> str:
    """The colour of each model, as rich text."""
    return "&nbsp; ".join(
        f'<span style="color:{_hex(color)}; font-size:large">■</span>&nbsp;{found.title}'
        for found, color in zip(results, colors, strict=True)
    )


def _hex(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)
