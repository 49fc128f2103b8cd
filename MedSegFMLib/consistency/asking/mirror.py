"""The mirror image of a patient: voxels, regions, words.

A patient whose left and right are exchanged has the right kidney where the left one was. A model
that has understood image and words finds it there; one that guessed a side does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...prompts.types import Prompt, Text
from ...segmenter import Logits
from ...volumes.patient_planes import planes
from ...volumes.region import Region, shape_triple
from ...volumes.segmentations.vocabulary import mirrored_name
from ...volumes.volume import Volume


@dataclass(frozen=True)
class Mirror:
    """The exchange of the patient's left and right on a grid.

    Attributes:
        axis_kji: the array axis that is closest to that direction.
        length: the number of voxels along it.
    """

    axis_kji: int
    length: int

    @classmethod
    def of(cls, volume: Volume) -> Mirror:
        """The mirror for a volume."""
        geometry = volume.geometry
        (axis,) = (plane.axis_kji for plane in planes(geometry) if plane.name == "sagittal")
        return cls(axis, geometry.shape_kji[axis])

    def volume(self, volume: Volume) -> Volume:
        """The mirrored patient on the same grid."""
        return volume.with_array(np.ascontiguousarray(np.flip(volume.array_kji, self.axis_kji)))

    def region(self, region: Region) -> Region:
        """The mirrored region; mirrored again it is the same."""
        start, stop = list(region.start_kji), list(region.stop_kji)
        n = self.axis_kji
        start[n], stop[n] = self.length - stop[n], self.length - start[n]
        return Region(shape_triple(start), shape_triple(stop))

    def array(self, array_kji: Logits) -> Logits:
        """The mirrored values on a region."""
        return np.flip(array_kji, self.axis_kji)

    def words(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """The texts among prompts with left and right exchanged."""
        return [Text(mirrored_name(p.phrase)) for p in prompts if isinstance(p, Text)]
