"""The consistency outputs of `medsegfm segment`: a map, a figure, columns and the next clicks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...consistency import Consistency, PlaneViews, measure
from ...consistency.hot_spots import expected_error
from ...drawing.consistency_figure import draw_consistency
from ...drawing.picture import write_picture
from ...progress import Progress
from ...segmenter import Prediction
from ...session.session import Session
from ...volumes.volume import Volume
from ...volumes.windows import Window

COLUMNS = ("agreement", "expected Dice")


@dataclass(frozen=True, eq=False)
class MeasuredObject:
    """An object's prediction with its planes, and their consistency."""

    name: str
    prediction: Prediction
    consistency: Consistency


def measure_consistency(session: Session, progress: Progress) -> dict[int, MeasuredObject]:
    """Measure every object of a session that has prompts, by its label.

    No clicks are suggested if the model does not support clicks.
    """
    prompts = session.prompts
    measured = {}
    for label, prediction in PlaneViews(session).predict_all(progress).items():
        consistency = measure(prediction, prompts.steps(label)[-1])
        if "point" not in session.segmenter.card.prompts:
            consistency = replace(consistency, hot_spots=())
        measured[label] = MeasuredObject(prompts.name(label), prediction, consistency)
    return measured


def disagreement_map(measured: Mapping[int, MeasuredObject], volume: Volume) -> Volume:
    """The disagreement of the planes on the volume's grid: float32, 0 to 1.

    It is the maximum over all objects, and 0 outside their regions.
    """
    array = np.zeros(volume.geometry.shape_kji, dtype=np.float32)
    for item in measured.values():
        part = array[item.consistency.region.slices]
        np.maximum(part, item.consistency.disagreement_kji, out=part)
    return volume.with_array(array)


def error_map(measured: Mapping[int, MeasuredObject], volume: Volume) -> Volume:
    """The probability that the result is wrong in each voxel: float32, 0 to 1.

    It is the maximum over all objects, and 0 outside their regions.
    """
    array = np.zeros(volume.geometry.shape_kji, dtype=np.float32)
    for item in measured.values():
        prediction = item.prediction
        part = array[prediction.region.slices]
        error = expected_error(prediction.planes, prediction.logits_kji > 0)
        np.maximum(part, error, out=part)
    return volume.with_array(array)


def write_figure(
    measured: Mapping[int, MeasuredObject],
    volume: Volume,
    title: str,
    path: Path | str,
    window: Window | None,
) -> None:
    """Write the figure of the object with the lowest expected Dice."""
    worst = min(measured.values(), key=lambda item: item.consistency.expected_dice or 0.0)
    heading = f"{worst.name}, {title}"
    figure = draw_consistency(volume, worst.prediction, worst.consistency, heading, window)
    write_picture(figure, path)


def column_texts(item: MeasuredObject | None) -> list[str]:
    """The values of `COLUMNS` for an object; a dash for unknown ones."""
    if item is None:
        return ["-"] * len(COLUMNS)
    numbers = (item.consistency.agreement, item.consistency.expected_dice)
    return ["-" if number is None else f"{number:.3f}" for number in numbers]


def doubts(measured: Mapping[int, MeasuredObject]) -> list[str]:
    """A question for each object about its most doubtful voxel, with the arguments of each answer.

    Whether the voxel belongs to the object is asked, since the planes' own judgement is right only
    about half of the time (Docs/consistency.md).
    """
    lines = []
    for item in measured.values():
        spot = item.consistency.suggestion
        if spot is None:
            lines.append(f"The planes are in doubt about no part of '{item.name}'.")
        else:
            k, j, i = spot.click_kji
            voxel = f"{i} {j} {k}"
            lines.append(
                f"Does voxel {voxel} belong to '{item.name}'? "
                f"If so, add --point {voxel} after its other prompts; if not, --negative {voxel}."
            )
    return lines
