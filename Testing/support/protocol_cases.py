"""A case of two blocks, and a model that fills its boxes, for tests of protocols."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from MedSegFMLib import Geometry, Text, Volume
from MedSegFMLib.datasets.cases import Case
from MedSegFMLib.datasets.loading import LoadedCase
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.records import Row, Task
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Encoding, ModelCard, Prediction, RegionRule, class_numbers
from MedSegFMLib.volumes.region import Region

SHAPE = (8, 12, 14)

OBJECTS = ((1, "left"), (4, "right"))


class Filler:
    """Fills its box, less one voxel layer for each click to come; notes what it was asked."""

    def __init__(
        self,
        prompts: Sequence[str] = ("box", "point"),
        classes: Sequence[str] = (),
        seconds: float = 0.0,
    ) -> None:
        self.card = ModelCard(
            name="filler",
            title="Filler",
            summary="",
            prompts=tuple(prompts),
            modalities=(),
            dimensions=3,
            code_licence="",
            weights_licence=None,
            region_rule=RegionRule(99, 0.0, 99, shared=False),
        )
        self.classes = tuple(classes)
        self.seconds = seconds
        self.asked: list[tuple[Prompt, ...]] = []

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 1)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        self.asked.append(tuple(prompts))
        time.sleep(self.seconds)
        logits = np.full(encoding.region.shape_kji, -1, np.float32)
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        for text in prompts:
            if isinstance(text, Text):
                number = class_numbers([text.phrase], self.classes, "filler")[0]
                logits[2:6, 2:6, 2 + 5 * number : 6 + 5 * number] = 1
        for box in marks.boxes:
            logits[box.slices] = 1
        for k, j, i in marks.foreground_kji:
            logits[k, max(j - 1, 0) : j + 2, max(i - 1, 0) : i + 2] = 2
        for k, j, i in marks.background_kji:
            logits[k, j, i] = -2
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


def loaded_case(**extra: object) -> LoadedCase:
    """Two balls-like blocks, the left one with a corner that its box on the middle slice misses."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 2:8, 1:6] = 1
    labels[2, 2:10, 1:6] = 1
    labels[3:7, 4:9, 7:13] = 4
    labels[3:7, 4, 7] = 0
    geometry = Geometry.from_spacing(SHAPE, (0.8, 1.0, 3.0))
    image = Volume(labels.astype(np.float32) + np.arange(SHAPE[2]), geometry)
    return LoadedCase(image, Volume(labels, geometry), False, **extra)  # type: ignore[arg-type]


def task(objects: Sequence[tuple[int, str]] = OBJECTS) -> Task:
    folder = Path("cases")
    case = Case("a case", folder, folder / "i", folder / "l", "CT", tuple(objects))
    return Task(case, "filler", 0)


def rows_of(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of one object."""
    return [row for row in rows if row.object == name]


CVPR25 = read_protocol("cvpr25")
