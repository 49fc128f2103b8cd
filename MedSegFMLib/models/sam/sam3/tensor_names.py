"""SAM 3's original tensor names of its image side. Needs no package.

It consists of the detector's vision transformer, of a feature pyramid of its own above it, and of
the tracker's encoder of prompts and decoder of masks. The names are those that transformers'
convert_sam3_video_to_hf.py reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..layouts.authors_layout import Part, Source
from ..video_tensor_names import LISTED, UPSCALING, Renamed, Section, authors_names

# Of transformers' Sam3VideoModel: the detector, and the tracker's two networks.
DETECTOR, MODEL, NECK = "detector_model.", "tracker_model.", "tracker_neck."
# Of the authors' checkpoint.
AUTHORS_DETECTOR, AUTHORS_TRACKER = "detector.", "tracker."

NORMS: Renamed = ((r"\.layer_norm([123])\.", r".norm\1."),)
# By the prefix of transformers' name: the authors' prefix, and further renamings in order.
_VISION: tuple[Section, ...] = (
    (
        "vision_encoder.backbone.",
        "backbone.vision_backbone.trunk.",
        (
            (r"embeddings\.position_embeddings$", "pos_embed"),
            (r"embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"trunk\.layer_norm\.", "trunk.ln_pre."),
            (r"\.layers\.", ".blocks."),
            (r"\.attention\.[qkv]_proj\.", ".attn.qkv."),
            (r"\.attention\.o_proj\.", ".attn.proj."),
            *NORMS,
        ),
    ),
    (
        "vision_encoder.neck.fpn_layers.",
        "backbone.vision_backbone.convs.",
        (
            (r"\.proj1\.", ".conv_1x1."),
            (r"\.proj2\.", ".conv_3x3."),
            # The first level is upsampled twice, the second once; both are lists in transformers.
            (r"\.0\.scale_layers\.0\.", ".0.dconv_2x2_0."),
            (r"\.0\.scale_layers\.2\.", ".0.dconv_2x2_1."),
            (r"\.1\.scale_layers\.0\.", ".1.dconv_2x2."),
        ),
    ),
)
MASK_DECODER: Section = (
    "mask_decoder.",
    "sam_mask_decoder.",
    (
        *UPSCALING,
        (r"\.mlp\.proj_in\.", ".mlp.lin1."),
        (r"\.mlp\.proj_out\.", ".mlp.lin2."),
        (r"\.layer_norm", ".norm"),
        (r"\.o_proj\.", ".out_proj."),
        *LISTED,
    ),
)

PARTS: dict[str, Part] = {".q_proj.": "query", ".k_proj.": "key", ".v_proj.": "value"}
_BACKBONE, _OWN_NECK = "vision_encoder.backbone.", "vision_encoder.neck."
_DETECTORS_NECK, _TRACKERS_NECK = ".vision_backbone.convs.", ".vision_backbone.sam2_convs."


def vision_source(name: str) -> Source:
    """The authors' tensor for transformers' name of one of the detector's vision encoder."""
    for beginning, prefix, renamed in _VISION:
        if name.startswith(beginning):
            original = prefix + name.removeprefix(beginning)
            for pattern, replacement in renamed:
                original = re.sub(pattern, replacement, original)
            return Source(original, _part(name))
    return Source(name)


def trackers_neck(name: str) -> str:
    """The authors' name for a tensor of the tracker's pyramid, given transformers' without prefix.

    It has none of the authors' prefixes either.
    """
    detectors = vision_source(_OWN_NECK + name).name
    return detectors.replace(_DETECTORS_NECK, _TRACKERS_NECK)


def sources_of(name: str) -> tuple[Source, ...]:
    """The authors' tensors for a tensor of the image side, given its name in Sam3TrackerModel."""
    if name.startswith(_BACKBONE):
        source = vision_source(name)
        return (Source(AUTHORS_DETECTOR + source.name, source.part),)
    if name.startswith(_OWN_NECK):
        return (Source(AUTHORS_DETECTOR + trackers_neck(name.removeprefix(_OWN_NECK))),)
    names = authors_names(name, (MASK_DECODER,))
    return tuple(Source(AUTHORS_TRACKER + bare_name) for bare_name in names)


def image_side(name: str) -> str:
    """The name in Sam3TrackerModel of a tensor of Sam3VideoModel; others stay as they are."""
    if name.startswith(DETECTOR + _BACKBONE):
        return name.removeprefix(DETECTOR)
    if name.startswith(NECK):
        return _OWN_NECK + name.removeprefix(NECK)
    return name.removeprefix(MODEL)


def is_upstream(names: Iterable[str]) -> bool:
    """Whether names are the authors' rather than transformers'."""
    return any(name.startswith((AUTHORS_DETECTOR, AUTHORS_TRACKER)) for name in names)


def _part(name: str) -> Part:
    if name.endswith("embeddings.position_embeddings"):
        return "without class"
    return next((part for mark, part in PARTS.items() if mark in name), "whole")
