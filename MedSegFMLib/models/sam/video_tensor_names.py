"""Tensor names of SAM 2's video memory, as its authors and transformers call them: data alone.

SAM 2 and the tracker of SAM 3 have the same memory encoder, prompt encoder and further tensors. The
names are those that transformers' convert_sam2_video_to_hf.py and convert_sam3_video_to_hf.py read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Renamed = tuple[tuple[str, str], ...]
# The prefix of transformers' name, the authors' prefix, and further renamings in order.
Section = tuple[str, str, Renamed]

# The first, inner and last layers of a three-layer perceptron are numbered in one list.
LISTED: Renamed = (
    (r"\.layers\.0\.(weight|bias)$", r".layers.1.\1"),
    (r"\.proj_in\.", ".layers.0."),
    (r"\.proj_out\.", ".layers.2."),
)
UPSCALING: Renamed = (
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
)
MEMORY_ENCODER: Renamed = (
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
)

_POINTS = "sam_prompt_encoder.point_embeddings."
_POINTS_KINDS = 4
_POSITIONS = "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"

SHARED: tuple[Section, ...] = (
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
    ("object_pointer_proj.", "obj_ptr_proj.", LISTED),
    ("temporal_positional_encoding_projection_layer.", "obj_ptr_tpos_proj.", ()),
    ("shared_image_embedding.positional_embedding", _POSITIONS, ()),
    ("memory_temporal_positional_encoding", "maskmem_tpos_enc", ()),
    ("no_memory_embedding", "no_mem_embed", ()),
    ("no_memory_positional_encoding", "no_mem_pos_enc", ()),
    ("no_object_pointer", "no_obj_ptr", ()),
    ("occlusion_spatial_embedding_parameter", "no_obj_embed_spatial", ()),
)


def authors_names(name: str, sections: Sequence[Section]) -> tuple[str, ...]:
    """The authors' names for a tensor, given transformers' name.

    If there are several, the tensors are concatenated along the rows: each kind of click has its
    own.

    Args:
        name: transformers' name.
        sections: the sections of the network beside `SHARED`.
    """
    if name == "prompt_encoder.point_embed.weight":
        return tuple(f"{_POINTS}{kind}.weight" for kind in range(_POINTS_KINDS))
    for beginning, theirs, renamed in (*sections, *SHARED):
        if name.startswith(beginning):
            original = theirs + name.removeprefix(beginning)
            for pattern, replacement in renamed:
                original = re.sub(pattern, replacement, original)
            return (original,)
    return (name,)
