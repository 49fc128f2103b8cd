"""The label maps of a case after each step, saved in the format of the CVPR 2025 challenge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.challenge_npz import write_segs
from ...tasks.records import Key
from ..protocol import Protocol
from ..results.case_picture import picture_name


def label_maps_name(key: Key) -> str:
    """A file name that is valid everywhere and unique for each task."""
    return f"{Path(picture_name(key)).stem}.npz"


class StepLabelMaps:
    """Label maps (steps, K, J, I) of the objects of a case.

    Args:
        shape_kji: the shape of a map.
        labels: the labels of the objects, 0 or more.
        protocol: the protocol.
    """

    def __init__(self, shape_kji: Sequence[int], labels: Sequence[int], protocol: Protocol) -> None:
        dtype = np.uint8 if max(labels) < 256 else np.min_scalar_type(max(labels))
        self._maps: NDArray[Any] = np.zeros((protocol.clicks + 1, *shape_kji), dtype)

    def set_mask(self, step: int, label: int, mask_kji: NDArray[np.bool_]) -> None:
        """Set a label on voxels (K, J, I) in the map of a step.

        Objects that were segmented alone may overlap; the later one replaces the earlier.
        """
        self._maps[step][mask_kji] = label

    def write(self, path: Path) -> None:
        """Write `segs`, the last map, and `all_segs` atomically."""
        write_segs(path, self._maps)
