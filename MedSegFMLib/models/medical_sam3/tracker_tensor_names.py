"""SAM3's original tensor names for its tracker. Needs no package.

The tracker consists of two networks, `tracker_model` and `tracker_neck` in transformers'
Sam3VideoModel: the memory of slices, and the feature pyramid for it above the detector's own vision
transformer. The names are those that transformers' convert_sam3_video_to_hf.py reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..sam.sam3.tensor_names import AUTHORS_TRACKER, MASK_DECODER, trackers_neck
from ..sam.sam3.tensor_names import MODEL as MODEL
from ..sam.sam3.tensor_names import NECK as NECK
from ..sam.video_tensor_names import MEMORY_ENCODER, Section, authors_names
from .tensor_names import bare

_SECTIONS: tuple[Section, ...] = (
    (
        "memory_attention.",
        "transformer.encoder.",
        (
            (r"\.layer_norm([123])\.", r".norm\1."),
            (r"\.layer_norm\.", ".norm."),
            (r"\.o_proj\.", ".out_proj."),
        ),
    ),
    ("memory_encoder.", "maskmem_backbone.", MEMORY_ENCODER),
    MASK_DECODER,
)
# Tables that the network computes itself.
_LEFT_OVER = re.compile(r"tracker\.transformer\.encoder\.layers\.\d+\.\w+\.freqs_cis(_real|_imag)?")


def sources_of(name: str) -> tuple[str, ...]:
    """The authors' names for a tensor of the tracker, given transformers' name.

    See `authors_names`.
    """
    if name.startswith(NECK):
        return (trackers_neck(name.removeprefix(NECK)),)
    names = authors_names(name.removeprefix(MODEL), _SECTIONS)
    return tuple(AUTHORS_TRACKER + bare_name for bare_name in names)


def tracker_name(name: str) -> str | None:
    """The name of a tracker's tensor without the detector's prefix; None for the detector's."""
    return None if bare(name) is not None else name.removeprefix("detector.")


def has_tracker(names: Iterable[str]) -> bool:
    """Whether a checkpoint contains the tracker's memory; its pyramid alone is useless."""
    return any(name.startswith((AUTHORS_TRACKER, MODEL)) for name in names)


def is_upstream(names: Iterable[str]) -> bool:
    """Whether a tracker's names are the authors' rather than transformers'."""
    return any(name.startswith(AUTHORS_TRACKER) for name in names)


def is_left_over(name: str) -> bool:
    """Whether a tensor of the authors is unused by the tracker."""
    return _LEFT_OVER.fullmatch(name) is not None
