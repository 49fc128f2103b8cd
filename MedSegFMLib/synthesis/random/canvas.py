"""Where structures are painted over one another, each of a tissue and perhaps of an object."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..fields import Frame
from .shapes import Level, radius

LEAST_VOXELS = 30


@dataclass(frozen=True)
class Tissue:
    """What the voxels of a structure are made of.

    role: the kind of stuff, a key of `appearance.STYLES`.
    near: another tissue of the canvas whose brightness this one is close to.
    gap: how close, in units of a style's range; the same brightness with 0.
    rim: how much brighter its border may be than its core, at most.
    """

    role: str
    near: int | None = None
    gap: float = 0.0
    rim: float = 0.0


class Canvas:
    """A scene without its brightness.

    tissue: (K, J, I) int64, an index into `tissues`.
    labels: (K, J, I) int16; 0 belongs to no object.
    depth: (K, J, I) the level of the structure seen at each voxel.
    position: (3, K, J, I) the frame's, bent a little, so that nothing painted is straight.
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
        """The index of a new tissue."""
        self.tissues.append(Tissue(role, near, gap, rim))
        return len(self.tissues) - 1

    def new_object(self) -> int:
        """The label of one more object."""
        self.objects += 1
        return self.objects

    def paint(self, level: Level, tissue: int, label: int | None = None) -> None:
        """A tissue wherever the level is above 0; without a label the labels there stay."""
        inside = level > 0
        self.tissue.masked_fill_(inside, tissue)
        self.depth = torch.where(inside, level, self.depth)
        if label is not None:
            self.labels.masked_fill_(inside, label)

    def drop_small_objects(self) -> None:
        """Drops objects of which fewer than LEAST_VOXELS are seen; a ball replaces the last one."""
        kept = self._counts(self.labels) >= LEAST_VOXELS
        spare = (radius(self.position) < 0.5) & ~kept.any()
        self.paint(spare.float(), self.add("lesion"), 0)
        self.labels.masked_fill_(spare, 1)
        kept[0] |= ~kept.any()
        kept = torch.cat([kept.new_zeros(1), kept])
        self.labels = (kept.cumsum(0) * kept).to(torch.int16)[self.labels.long()]

    def relabel(self, labels: Tensor) -> None:
        """Other labels of the same objects, unless too little of one of them would be left."""
        drawn = self._counts(self.labels) > 0
        fits = (~drawn | (self._counts(labels) >= LEAST_VOXELS)).all()
        self.labels = torch.where(fits, labels, self.labels)

    def _counts(self, labels: Tensor) -> Tensor:
        """The number of voxels of each object, (objects,); there is at least one."""
        numbers = torch.arange(1, max(self.objects, 1) + 1, device=labels.device)
        return (labels.reshape(1, -1) == numbers[:, None]).sum(1)
