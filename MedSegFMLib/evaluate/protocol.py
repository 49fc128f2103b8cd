"""One model on one case: a box for every object, then simulated clicks, scored after each step.

After the CVPR 2025 interactive challenge (MODELS.md): step 0 is the box, each further step one
click per object at the centre of its largest error, all objects in one call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import dice, hausdorff95, surface_dice
from ..progress import Progress, part_of
from ..prompts import Box, Point
from ..segmenter import Segmenter
from ..session import Session
from ..simulate import box_around, next_click
from ..volume import Volume
from .cases import Case, LoadedCase
from .peak_memory import peak_bytes, reset_peak

NSD_TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class Protocol:
    """How prompts are placed. jitter: how far the faces of a box are off, as part of its width."""

    clicks: int = 5
    seed: int = 0
    jitter: float = 0.0


@dataclass(frozen=True)
class Row:
    """The score of one object after one step; a row of results.csv.

    prompt: "box", "click +", "click -", or "none" where nothing was left to correct or the model
    takes no clicks. seconds: from the prompts to the masks, per object of the case. peak_bytes: the
    process's peak since the case began. resampled: whether the label was on another grid.
    """

    case: str
    modality: str
    object: str
    model: str
    step: int
    prompt: str
    dsc: float
    nsd: float
    hd95_mm: float
    seconds: float
    peak_bytes: int
    resampled: bool


def run_case(
    case: Case, loaded: LoadedCase, segmenter: Segmenter, protocol: Protocol, progress: Progress
) -> tuple[list[Row], Volume]:
    """The rows of a case, and the labelmap after the last step (labels 1, 2, … as listed)."""
    reset_peak()
    session = Session(segmenter, loaded.image)
    references = {
        session.add_object(name): loaded.label.array_kji == value for value, name in case.objects
    }
    spacing = loaded.image.geometry.spacing_kji_mm
    labels = Volume(np.zeros(loaded.image.array_kji.shape, np.uint8), loaded.image.geometry)
    rows: list[Row] = []
    for step in range(protocol.clicks + 1):
        placed = {
            label: _place_prompt(session, label, reference, labels, step, protocol)
            for label, reference in references.items()
        }
        begun = time.perf_counter()
        if any(word != "none" for word in placed.values()):
            share = part_of(
                progress, step / (protocol.clicks + 1), (step + 1) / (protocol.clicks + 1)
            )
            labels = session.labelmap(share)
        seconds = (time.perf_counter() - begun) / len(references)
        for label, reference in references.items():
            mask = labels.array_kji == label
            rows.append(
                Row(
                    case.name,
                    case.modality,
                    session.prompts.name(label),
                    segmenter.card.name,
                    step,
                    placed[label],
                    dice(reference, mask),
                    surface_dice(reference, mask, spacing, NSD_TOLERANCE_MM),
                    hausdorff95(reference, mask, spacing),
                    seconds,
                    peak_bytes(),
                    loaded.resampled,
                )
            )
    return rows, labels


def _place_prompt(
    session: Session,
    label: int,
    reference: NDArray[np.bool_],
    labels: Volume,
    step: int,
    protocol: Protocol,
) -> str:
    geometry = labels.geometry
    if step == 0:
        start_kji, stop_kji = box_around(reference, protocol.jitter, protocol.seed)
        session.add(Box.from_ijk(geometry, start_kji[::-1], stop_kji[::-1]), label)
        return "box"
    if "point" not in session.segmenter.card.prompts:
        return "none"
    click = next_click(reference, labels.array_kji == label, protocol.seed + step)
    if click is None:
        return "none"
    position_kji, positive = click
    session.add(Point.from_ijk(geometry, position_kji[::-1], positive), label)
    return "click +" if positive else "click -"
