"""One model on one case: a box for each object, then simulated clicks, scored after each step.

Box, click rule and scores are those of the CVPR 2025 interactive challenge, but each object is
segmented on its own: objects of a case neither compete for voxels nor share clicks.
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..cases import Case, LoadedCase
from ..metrics import dice, hausdorff95, surface_dice
from ..peak_memory import peak_bytes, reset_peak
from ..progress import Progress, parts_of
from ..prompts import Box, Point
from ..segmenter import Segmenter
from ..session import Session
from ..simulate import box_around, next_click
from .picture import PICTURED

NSD_TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class Protocol:
    """How prompts are placed.

    clicks: for each object, after its box. seed: 0 or more; boxes and clicks are drawn from it, the
    name of the case, that of the object and the step (`seed_of`). jitter: how far each face of a
    box may be off, as part of the box's width; 0 is the tight box. box: whether the first prompt is
    a box; if not, it is a click in the middle of the object.
    """

    clicks: int = 5
    seed: int = 0
    jitter: float = 0.0
    box: bool = True

    def seed_of(self, case: str, name: str, step: int) -> int:
        """The seed of the prompt of one step: another one everywhere, the same in every run."""
        entropy = [self.seed, zlib.crc32(f"{case}/{name}".encode()), step]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])


@dataclass(frozen=True)
class Row:
    """The score of one object after one step; a row of results.csv.

    prompt: "box", "click +", "click -", or "none" where nothing was left to correct or the model
    takes no clicks. seconds: from the prompt to the mask, the scores not counted. peak_bytes: the
    process's peak since the object began. resampled: whether the label was on another grid.
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
) -> tuple[list[Row], NDArray[np.uint8]]:
    """The rows of a case, and the masks after the last step, as a picture needs them.

    The masks come as one array (K, J, I) for all objects: bit n is set in what belongs to object n,
    for the first PICTURED objects. As bool arrays those of a case with many would fill the memory.
    """
    rows: list[Row] = []
    masks_kji = np.zeros(loaded.label.array_kji.shape, dtype=np.uint8)
    shares = parts_of(progress, len(case.objects))
    for n, ((value, name), share) in enumerate(zip(case.objects, shares, strict=True)):
        reference = loaded.label.array_kji == value
        own, mask = _run_object(case, name, reference, loaded, segmenter, protocol, share)
        rows += own
        if n < PICTURED:
            masks_kji[mask] |= 1 << n
    return rows, masks_kji


def _run_object(
    case: Case,
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
        seed = protocol.seed_of(case.name, name, step)
        placed = _place_prompt(session, reference, mask, step, protocol, seed)
        begun = time.perf_counter()
        if placed != "none":
            mask = session.predict(progress=share).mask.array_kji > 0
        seconds = time.perf_counter() - begun
        rows.append(
            Row(
                case.name,
                case.modality,
                name,
                segmenter.card.name,
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
