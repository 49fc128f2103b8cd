"""Colours of segments that no terminology has a colour for."""

from __future__ import annotations

from typing import Any

from ..volumes.segmentations.meanings import TISSUE

# Okabe and Ito's colours, which people with any colour vision tell apart, without black.
_PALETTE = (
    (0.34, 0.71, 0.91),
    (0.90, 0.62, 0.00),
    (0.00, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.00),
    (0.00, 0.45, 0.70),
)


class SegmentColors:
    """Colours each new segment once; Slicer's core has no usual colours without the desktop."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def follow(self, node: Any | None) -> None:
        """Colour the segments of a segmentation that are new and of no known tissue."""
        if node is None:
            return
        segmentation = node.GetSegmentation()
        for n, segment_id in enumerate(segmentation.GetSegmentIDs()):
            key = (node.GetID(), segment_id)
            if key in self._known:
                continue
            self._known.add(key)
            segment = segmentation.GetSegment(segment_id)
            if _is_unknown(segment):
                segment.SetColor(*_PALETTE[n % len(_PALETTE)])


def _is_unknown(segment: Any) -> bool:
    """Whether a segment means any tissue, or nothing that is stated."""
    entry = str(segment.GetTerminology() or "")
    return entry in ("", TISSUE.entry) or "^Tissue~" in entry
