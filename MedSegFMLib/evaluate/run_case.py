"""One model on one case: a box for each object, then simulated clicks, scored after each step.

Box, click rule and scores are those of the CVPR 2025 interactive challenge, but each object is
segmented on its own: objects of a case neither compete for voxels nor share clicks.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ..cases import LoadedCase
from ..metrics import dice, hausdorff95, surface_dice
from ..peak_memory import peak_bytes, reset_peak
from ..progress import Progress, parts_of
from ..prompts import Box, Point
from ..segmenter import Segmenter
from ..session import Session
from ..simulate import box_around, next_click
from .picture import PICTURED
from .protocol import NSD_TOLERANCE_MM, Protocol, seed_of
from .records import Row, Task


def run_case(
    task: Task,
    loaded: LoadedCase,
    segmenter: Segmenter,
    protocol: Protocol,
    progress: Progress,
) -> tuple[list[Row], NDArray[np.uint8]]:
    """The rows of a case, and the masks after the last step, as a picture needs them.

    The masks come as one array (K, J, I) for all objects: bit n is set in what belongs to object n,
    for the first PICTURED objects. As bool arrays those of a case with many would fill the memory.
    """
    rows: list[Row] = []
    masks_kji = np.zeros(loaded.label.array_kji.shape, dtype=np.uint8)
    shares = parts_of(progress, len(task.case.objects))
    for n, ((value, name), share) in enumerate(zip(task.case.objects, shares, strict=True)):
        reference = loaded.label.array_kji == value
        own, mask = _run_object(task, name, reference, loaded, segmenter, protocol, share)
        rows += own
        if n < PICTURED:
            masks_kji[mask] |= 1 << n
    return rows, masks_kji


def _run_object(
    task: Task,
    name: str,
    reference: NDArray[np.bool_],
    loaded: LoadedCase,
    segmenter: Segmenter,
    protocol: Protocol,
    progress: Progress,
) -> tuple[list[Row], NDArray[np.bool_]]:
    reset_peak()
    session = Session(segmenter, loaded.image)
    spacing = loaded.image.geometry.spacing_kji_mm
    mask = np.zeros(reference.shape, dtype=bool)
    rows: list[Row] = []
    for step, share in enumerate(parts_of(progress, protocol.clicks + 1)):
        seed = seed_of(task.seed, task.case.name, name, step)
        placed = _place_prompt(session, reference, mask, step, protocol, seed)
        begun = time.perf_counter()
        if placed != "none":
            mask = session.predict(progress=share).mask.array_kji > 0
        seconds = time.perf_counter() - begun
        rows.append(
            Row(
                task.case.name,
                task.case.modality,
                name,
                task.model,
                task.seed,
                step,
                placed,
                dice(reference, mask),
                surface_dice(reference, mask, spacing, NSD_TOLERANCE_MM),
                hausdorff95(reference, mask, spacing),
                seconds,
                peak_bytes(),
                loaded.resampled,
            )
        )
    return rows, mask


def _place_prompt(
    session: Session,
    reference: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    step: int,
    protocol: Protocol,
    seed: int,
) -> str:
    geometry = session.volume.geometry
    if step == 0 and protocol.box:
        start_kji, stop_kji = box_around(reference, protocol.jitter, seed)
        session.add(Box.from_ijk(geometry, start_kji[::-1], stop_kji[::-1]))
        return "box"
    if "point" not in session.segmenter.card.prompts:
        return "none"
    click = next_click(reference, mask, seed)
    if click is None:
        return "none"
    position_kji, positive = click
    session.add(Point.from_ijk(geometry, position_kji[::-1], positive))
    return "click +" if positive else "click -"
