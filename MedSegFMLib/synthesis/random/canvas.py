"""A canvas on which structures are painted over each other, with tissues and objects."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..fields import Frame
from .shapes import Level, radius

LEAST_VOXELS = 30


@dataclass(frozen=True)
class Tissue:
    """The tissue of a structure.

    Attributes:
        role: the kind of tissue, a key of `Style.means` in `appearance`.
        near: index of another tissue of the canvas with similar brightness.
        gap: the difference from it in units of a style's range; 0 for the same brightness.
        rim: the largest brightness difference between its border and its core.
    """

    role: str
    near: int | None = None
    gap: float = 0.0
    rim: float = 0.0


class Canvas:
    """A scene before its brightness is rendered.

    Attributes:
        tissue: (K, J, I) int64, an index into `tissues`.
        labels: (K, J, I) int16; 0 belongs to no object.
        depth: (K, J, I) the level of the visible structure at each voxel.
        position: (3, K, J, I) the frame's, slightly deformed, so that nothing painted is straight.
    """

    def __init__(self, frame: Frame) -> None:
        rng = frame.generators.host
        self.frame = frame
        self.tissues = [Tissue("soft")]
        self.objects = 0
        self.tissue = torch.zeros(frame.shape_kji, dtype=torch.int64, device=frame.device)
        self.labels = torch.zeros(frame.shape_kji, dtype=torch.int16, device=frame.device)
        self.depth = torch.ones(frame.shape_kji, device=frame.device)
        bend = float(rng.uniform(0.0, 0.1))
        self.position = frame.position + bend * frame.fields(rng.uniform(2, 5), 3)

    def add(self, role: str, near: int | None = None, gap: float = 0.0, rim: float = 0.0) -> int:
        """Add a tissue and return its index."""
        self.tissues.append(Tissue(role, near, gap, rim))
        return len(self.tissues) - 1

    def new_object(self) -> int:
        """Add an object and return its label."""
        self.objects += 1
        return self.objects

    def paint(self, level: Level, tissue: int, label: int | None = None) -> None:
        """Paint a tissue in voxels with a level above 0; without a label their labels are kept."""
        inside = level > 0
        self.tissue.masked_fill_(inside, tissue)
        self.depth = torch.where(inside, level, self.depth)
        if label is not None:
            self.labels.masked_fill_(inside, label)

    def drop_small_objects(self) -> None:
        """Drop objects with fewer than LEAST_VOXELS visible voxels; a ball replaces the last."""
        kept = self._counts(self.labels) >= LEAST_VOXELS
        spare = (radius(self.position) < 0.5) & ~kept.any()
        self.paint(spare.float(), self.add("lesion"), 0)
        self.labels.masked_fill_(spare, 1)
        kept[0] |= ~kept.any()
        kept = torch.cat([kept.new_zeros(1), kept])
        self.labels = (kept.cumsum(0) * kept).to(torch.int16)[self.labels.long()]

    def relabel(self, labels: Tensor) -> None:
        """Replace the labels of the same objects, unless an object would become too small."""
        is_visible = self._counts(self.labels) > 0
        fits = (~is_visible | (self._counts(labels) >= LEAST_VOXELS)).all()
        self.labels = torch.where(fits, labels, self.labels)

    def _counts(self, labels: Tensor) -> Tensor:
        """The number of voxels of each object, (objects,), at least one."""
        numbers = torch.arange(1, max(self.objects, 1) + 1, device=labels.device)
        return (labels.reshape(1, -1) == numbers[:, None]).sum(1)
