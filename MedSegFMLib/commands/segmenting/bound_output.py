"""The lower bound of the Dice in the output of `medsegfm segment`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...consistency.lower_bound import (
    COVERAGE,
    UNLIKE_PROMPTS,
    LowerBound,
    calibration_of,
    evidence,
    lower_bound,
)
from ...prompts.prompt_list import PromptList
from ...session.session import Session
from ...volumes.segmentations.treatment import Treatment

BOUND_COLUMN = f"Dice at least ({COVERAGE:.0%})"


def lower_bounds(
    session: Session, model: str, options: Mapping[str, Any], treatment: Treatment
) -> dict[int, LowerBound]:
    """The bound of each object that was predicted, by label.

    There is none if the model is not calibrated or its masks are changed afterwards.

    Args:
        session: the session, whose predictions are cached.
        model: the name of its model.
        options: the options of its `create`.
        treatment: what is done after the model.
    """
    calibration = calibration_of(model, options)
    if calibration is None or not treatment.is_none:
        return {}
    return {
        label: lower_bound(calibration, evidence(prediction, session.prompts.own(label)))
        for label, prediction in session.predict_all().items()
    }


def bound_text(bound: LowerBound | None) -> str:
    """The value of `BOUND_COLUMN`; a dash if there is none."""
    return "-" if bound is None or bound.value is None else f"{bound.value:.2f}"


def bound_notes(bounds: Mapping[int, LowerBound], prompts: PromptList) -> list[str]:
    """A sentence for each object that is unlike the calibration, not because of its prompts."""
    return [
        f"There is no bound of the Dice of '{prompts.name(label)}': {bound.unlike}."
        for label, bound in bounds.items()
        if bound.unlike not in ("", UNLIKE_PROMPTS)
    ]
