"""Baseline: the ellipsoid inscribed in the box, independent of the image.

It is a yardstick rather than a tool: a model that does not score higher has learnt nothing from the
image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..progress import Progress
from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..segmenter import Encoding, ModelCard, Prediction, RegionRule
from ..system.device import require_cpu
from ..volumes.region import Region
from ..volumes.volume import Volume

CARD = ModelCard(
    name="ellipsoid",
    title="Ellipsoid in the box",
    summary="Fills the box with its inscribed ellipsoid; the baseline for every model.",
    prompts=("box", "mask"),
    modalities=("any",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence=None,
    region_rule=RegionRule(
        margin_voxels=0, margin_fraction=0.0, click_radius_voxels=0, shared=False
    ),
    bytes_per_voxel=16,
    cpu_only=True,
)


def create(device: str = "auto") -> Ellipsoid:
    """Create the model; it runs on the CPU only."""
    require_cpu(CARD.name, device)
    return Ellipsoid()


class Ellipsoid:
    """Logits 1 - r^2, with r = 1 on the ellipsoid that touches the box's faces."""

    card = CARD
    classes: tuple[str, ...] = ()

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        """Return the region alone: the image is not used."""
        progress(1.0, "Preparing the volume")
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 0)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """The union of the ellipsoids of all boxes within the encoded region."""
        CARD.check_takes(prompts)
        region = encoding.region
        logits = np.full(region.shape_kji, -1, dtype=np.float32)
        for box in to_voxels(prompts, encoding.geometry).within(region).boxes:
            squares = []
            for start, width in zip(box.start_kji, box.shape_kji, strict=True):
                squares.append(
                    ((np.arange(start, start + width) + 0.5 - start) * 2 / width - 1) ** 2
                )
            k, j, i = np.ix_(*squares)
            logits[box.slices] = np.maximum(logits[box.slices], 1 - (k + j + i))
        progress(1.0, "Filling the box")
        return Prediction(encoding.geometry, region.start_kji, logits)
