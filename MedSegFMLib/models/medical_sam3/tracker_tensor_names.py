"""SAM3's original tensor names for its tracker. Needs no package.

The tracker consists of two networks, `tracker_model` and `tracker_neck` in transformers'
Sam3VideoModel: the memory of slices, and the feature pyramid for it above the detector's own vision
transformer. The names are those that transformers' convert_sam3_video_to_hf.py reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .tensor_names import Renamed, bare, source_of

MODEL = "tracker_model."
NECK = "tracker_neck."

_AUTHORS = "tracker."
_DETECTORS_NECK, _TRACKERS_NECK = ".vision_backbone.convs.", ".vision_backbone.sam2_convs."

# The first, inner and last layers of a three-layer perceptron are numbered in one list.
_LISTED: Renamed = (
    (r"\.layers\.0\.(weight|bias)$", r".layers.1.\1"),
    (r"\.proj_in\.", ".layers.0."),
    (r"\.proj_out\.", ".layers.2."),
)
_POINTS = "tracker.sam_prompt_encoder.point_embeddings."
_POINTS_KINDS = 4
_POSITIONS = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"

# By the prefix of transformers' name: the authors' prefix, and further renamings in order.
_SECTIONS: tuple[tuple[str, str, Renamed], ...] = (
    (
        "memory_attention.",
        "transformer.encoder.",
        (
            (r"\.layer_norm([123])\.", r".norm\1."),
            (r"\.layer_norm\.", ".norm."),
            (r"\.o_proj\.", ".out_proj."),
        ),
    ),
    (
        "memory_encoder.",
        "maskmem_backbone.",
        (
            (r"\.feature_projection\.", ".pix_feat_proj."),
            (r"\.projection\.", ".out_proj."),
            (r"\.memory_fuser\.", ".fuser."),
            (r"\.depthwise_conv\.", ".dwconv."),
            (r"\.pointwise_conv([12])\.", r".pwconv\1."),
            (r"\.scale$", ".gamma"),
            # Convolution, normalisation and activation, four times, are one list.
            *((rf"\.layers\.{n}\.conv\.", f".encoder.{3 * n}.") for n in range(4)),
            *(
                (rf"_downsampler\.layers\.{n}\.layer_norm\.", f"_downsampler.encoder.{3 * n + 1}.")
                for n in range(4)
            ),
            (r"\.final_conv\.", ".encoder.12."),
            (r"\.layer_norm\.", ".norm."),
        ),
    ),
    (
        "prompt_encoder.",
        "sam_prompt_encoder.",
        (
            (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
            (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
            (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
            (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
            (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
            (r"\w+\.shared_embedding\.positional_embedding$", _POSITIONS),
        ),
    ),
    (
        "mask_decoder.",
        "sam_mask_decoder.",
        (
            (r"\.upscale_conv1\.", ".output_upscaling.0."),
            (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
            (r"\.upscale_conv2\.", ".output_upscaling.3."),
            (r"\.mlp\.proj_in\.", ".mlp.lin1."),
            (r"\.mlp\.proj_out\.", ".mlp.lin2."),
            (r"\.layer_norm", ".norm"),
            (r"\.o_proj\.", ".out_proj."),
            *_LISTED,
        ),
    ),
    ("object_pointer_proj.", "obj_ptr_proj.", _LISTED),
    ("temporal_positional_encoding_projection_layer.", "obj_ptr_tpos_proj.", ()),
    ("shared_image_embedding.positional_embedding", _POSITIONS, ()),
    ("memory_temporal_positional_encoding", "maskmem_tpos_enc", ()),
    ("no_memory_embedding", "no_mem_embed", ()),
    ("no_memory_positional_encoding", "no_mem_pos_enc", ()),
    ("no_object_pointer", "no_obj_ptr", ()),
    ("occlusion_spatial_embedding_parameter", "no_obj_embed_spatial", ()),
)
# Tables that the network computes itself.
_LEFT_OVER = re.compile(r"tracker\.transformer\.encoder\.layers\.\d+\.\w+\.freqs_cis(_real|_imag)?")


def sources_of(name: str) -> tuple[str, ...]:
    """The authors' names for a tensor of the tracker, given transformers' name.

    If there are several, the tensors are concatenated along the rows: each kind of click has its
    own.
    """
    if name.startswith(NECK):
        detectors = source_of(f"vision_encoder.neck.{name.removeprefix(NECK)}").name
        return (detectors.replace(_DETECTORS_NECK, _TRACKERS_NECK),)
    bare_name = name.removeprefix(MODEL)
    if bare_name == "prompt_encoder.point_embed.weight":
        return tuple(f"{_POINTS}{kind}.weight" for kind in range(_POINTS_KINDS))
    for beginning, theirs, renamed in _SECTIONS:
        if bare_name.startswith(beginning):
            original = theirs + bare_name.removeprefix(beginning)
            for pattern, replacement in renamed:
                original = re.sub(pattern, replacement, original)
            return (_AUTHORS + original,)
    return (_AUTHORS + bare_name,)


def tracker_name(name: str) -> str | None:
    """The name of a tracker's tensor without the detector's prefix; None for the detector's."""
    return None if bare(name) is not None else name.removeprefix("detector.")


def has_tracker(names: Iterable[str]) -> bool:
    """Whether a checkpoint contains the tracker's memory; its pyramid alone is useless."""
    return any(name.startswith((_AUTHORS, MODEL)) for name in names)


def is_upstream(names: Iterable[str]) -> bool:
    """Whether a tracker's names are the authors' rather than transformers'."""
    return any(name.startswith(_AUTHORS) for name in names)


def is_left_over(name: str) -> bool:
    """Whether a tensor of the authors is unused by the tracker."""
    return _LEFT_OVER.fullmatch(name) is not None
