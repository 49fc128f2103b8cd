"""Regions of volumes without labels, each with a box anywhere in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....errors import TrainingError
from ....volumes.io.image_files import WRITERS
from ....volumes.volume import Volume
from ..ensam.samples import Batch, Floats, normalised_cells, resampled_cells

# The widths of a region as parts of the volume's, and of the box in it as parts of the region's.
_REGIONS = (0.3, 0.8)
_BOXES = (0.4, 0.75)
_SMALLEST_REGION_VOXELS = 8
# A region of one value shows nothing to agree on; another is tried this many times.
_TRIES = 20


@dataclass(frozen=True, eq=False)
class UnlabelledVolumes:
    """The volumes of a folder in memory.

    Attributes:
        volumes: The volumes.
        folder: The folder, for the error message.
    """

    volumes: list[Volume]
    folder: Path

    def batch(self, size: int, cells: int, rng: np.random.Generator) -> Batch:
        """Regions with boxes, resampled to `cells` along each axis; the target is 0 throughout.

        Raises:
            TrainingError: No region shows more than one value.
        """
        images, boxes, spacings = [], [], []
        for _ in range(size):
            for _ in range(_TRIES):
                image, box, spacing = self._region(cells, rng)
                if float(image.std()) > 0:
                    break
            else:
                raise TrainingError(
                    f"{_TRIES} regions of the volumes in {self.folder} have one value throughout; "
                    "remove volumes that show nothing."
                )
            images.append(image)
            boxes.append(box)
            spacings.append(spacing)
        image = torch.stack(images)[:, None]
        return Batch(
            image,
            torch.zeros_like(image),
            torch.tensor(np.stack(boxes), dtype=torch.float32),
            torch.tensor(np.stack(spacings), dtype=torch.float32),
        )

    def _region(self, cells: int, rng: np.random.Generator) -> tuple[Tensor, Floats, Floats]:
        volume = self.volumes[int(rng.integers(len(self.volumes)))]
        shape = np.array(volume.array_kji.shape)
        widths = np.rint(rng.uniform(*_REGIONS, 3) * shape).astype(int)
        widths = np.minimum(np.maximum(widths, _SMALLEST_REGION_VOXELS), shape)
        first = rng.integers(0, shape - widths + 1)
        window = tuple(slice(int(a), int(a + w)) for a, w in zip(first, widths, strict=True))
        voxels = torch.from_numpy(np.ascontiguousarray(volume.array_kji[window], np.float32))
        box_width = rng.uniform(*_BOXES, 3) * (cells - 1)
        corner = rng.uniform(0, 1, 3) * (cells - 1 - box_width)
        spacing = np.array(volume.geometry.spacing_kji_mm) * widths / cells
        image = normalised_cells(resampled_cells(voxels, cells))
        return image, np.stack([corner, corner + box_width]), spacing


def open_unlabelled(folder: Path) -> UnlabelledVolumes:
    """Read the volumes of a folder.

    Raises:
        TrainingError: There are none.
        VolumeError: One cannot be read.
    """
    endings = tuple(WRITERS)
    files = sorted(path for path in folder.iterdir() if path.name.lower().endswith(endings))
    volumes = [Volume.read(path) for path in files]
    if not volumes:
        raise TrainingError(f"{folder} contains no volume; name a folder with NIfTI or NRRD files.")
    return UnlabelledVolumes(volumes, folder)
