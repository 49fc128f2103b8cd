"""Segments that are no object of the present work, as a mask that the objects must not overlap."""

from __future__ import annotations

from ...errors import MedSegFMError
from ...prompts.mask import Mask
from ...prompts.prompt_list import PromptList
from ...volumes.geometry import Geometry
from ...volumes.region import Region
from .reference import ReferenceSegment
from .segments import Segments


class OtherSegments:
    """The other segments of a segmentation, read again only if one has changed.

    Args:
        segments: The segments of the objects.

    Attributes:
        are_avoided: Whether requests say that the objects are not where these are.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._read: tuple[object, ...] = ()
        self._mask: Mask | None = None
        self.are_avoided = False

    def limited(self, prompts: PromptList, volume: Geometry | None) -> PromptList:
        """The prompts with the mask to avoid for each object that has prompts, if that is wanted.

        Args:
            prompts: The prompts of the objects.
            volume: The volume's grid; None without a volume.
        """
        if not self.are_avoided or volume is None or self._segments.node is None:
            return prompts
        mask = self._others(prompts, volume)
        if mask is None:
            return prompts
        given = {label for label, _ in prompts.entries}
        for label in prompts.labels:
            if label in given:
                prompts = prompts.added(label, mask)
        return prompts

    def _others(self, prompts: PromptList, volume: Geometry) -> Mask | None:
        node, ids = self._segments.node, self._segments.ids
        own = {ids[label] for label in prompts.labels if label in ids}
        names = node.GetSegmentation().GetSegmentIDs()  # type: ignore[union-attr]
        others = [ReferenceSegment(node, name) for name in names if name not in own]
        stamps = (volume, node, *((other.segment_id, other.stamp()) for other in others))
        if stamps != self._read:
            self._read, self._mask = stamps, _united(others, volume)
        return self._mask


def _united(segments: list[ReferenceSegment], volume: Geometry) -> Mask | None:
    """The voxels of all segments that have any in the volume."""
    found = []
    for segment in segments:
        try:
            found.append(segment.read(volume)[0])
        except MedSegFMError:
            # Empty, elsewhere or a surface: nothing to keep away from.
            continue
    if not found:
        return None
    region = Region.enclosing([voxels.region for voxels in found])
    inside = found[0].on(region).copy()
    for voxels in found[1:]:
        inside |= voxels.on(region)
    return Mask.from_array(inside, volume.crop(region), role="avoid")
