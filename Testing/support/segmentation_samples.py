"""Segmentations that tests write and read."""

from __future__ import annotations

import numpy as np

from MedSegFMLib import Geometry
from MedSegFMLib.volumes.segmentations.segmentation import Segment, Segmentation


def overlapping(geometry: Geometry, ledger: str = "") -> Segmentation:
    """A liver, a tumour in it, a left kidney beside both, and an empty segment."""
    k, j, i = np.indices(geometry.shape_kji)
    liver = (i < 5) & (k > 1)
    tumour = liver & (j > 3) & (i > 2)
    kidney = (i > 7) & (j < 4) & (k % 2 == 0)
    return Segmentation(
        geometry,
        (
            Segment.from_mask(1, "liver", liver),
            Segment.from_mask(2, "tumour", tumour),
            Segment.from_mask(300, "Left_Kidney", kidney),
            Segment.from_mask(4, "what is this: 5 \\ 3", np.zeros_like(liver)),
        ),
        ledger,
    )


def masks_by_name(segmentation: Segmentation) -> dict[str, np.ndarray]:
    return {s.name: s.on(segmentation.geometry) for s in segmentation.segments}


def assert_same(found: Segmentation, wanted: Segmentation) -> None:
    """The same grid, and under each name the same label, mask, colour and meaning."""
    assert found.geometry.matches(wanted.geometry)
    usual = wanted.with_usual_colors()
    assert [(s.label, s.name, s.meaning) for s in found.segments] == [
        (s.label, s.name, s.meaning) for s in usual.segments
    ]
    for one, other in zip(found.segments, usual.segments, strict=True):
        assert np.array_equal(one.on(found.geometry), other.on(found.geometry)), one.name
        assert one.color_rgb is not None and other.color_rgb is not None
        assert np.allclose(one.color_rgb, other.color_rgb, atol=0.005), one.name
