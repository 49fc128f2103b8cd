"""SAM 2's original tensor names, those of its image side and of its memory. Needs no package."""

from __future__ import annotations

from collections.abc import Iterable

from ..layouts.authors_layout import Source
from ..video_tensor_names import (
    LISTED,
    MEMORY_ENCODER,
    UPSCALING,
    Renamed,
    Section,
    authors_names,
)

# The layers of a two-layer perceptron are numbered in one list.
_TWO_LAYERS: Renamed = ((r"\.proj_in\.", ".layers.0."), (r"\.proj_out\.", ".layers.1."))
_NORMS: Renamed = ((r"\.layer_norm", ".norm"),)
_OUTPUT: Renamed = ((r"\.o_proj\.", ".out_proj."),)

# The tensors of videos in transformers' layout and in the authors', by their beginnings.
_MEMORY = (
    *("memory_", "no_memory_positional_encoding", "mask_downsample"),
    *("object_pointer_proj.", "temporal_positional_encoding_projection_layer."),
    *("no_object_pointer", "occlusion_spatial_embedding_parameter"),
    *("maskmem_tpos_enc", "no_mem_pos_enc", "obj_ptr_", "no_obj_"),
)

_SECTIONS: tuple[Section, ...] = (
    (
        "vision_encoder.backbone.",
        "image_encoder.trunk.",
        ((r"patch_embed\.projection\.", "patch_embed.proj."), *_NORMS, *_TWO_LAYERS),
    ),
    (
        "vision_encoder.neck.",
        "image_encoder.neck.",
        ((r"\.convs\.(\d+)\.(weight|bias)$", r".convs.\1.conv.\2"),),
    ),
    ("memory_attention.", "memory_attention.", (*_NORMS, *_OUTPUT)),
    ("memory_encoder.", "memory_encoder.", MEMORY_ENCODER),
    (
        "mask_decoder.",
        "sam_mask_decoder.",
        (
            *UPSCALING,
            # Perceptrons of three layers, and of two in the transformer.
            LISTED[0],
            *((rf"\.mlp{old}", f".mlp{new}") for old, new in _TWO_LAYERS),
            *LISTED[1:],
            *_NORMS,
            *_OUTPUT,
        ),
    ),
)


def sources_of(name: str) -> tuple[Source, ...]:
    """The authors' tensors for a tensor, given transformers' name: see `authors_names`."""
    return tuple(map(Source, authors_names(name, _SECTIONS)))


def is_memory(name: str) -> bool:
    """Whether a tensor, named in either layout, belongs to the memory of videos."""
    return name.startswith(_MEMORY)


def is_upstream(names: Iterable[str]) -> bool:
    """Whether names are the authors' rather than transformers'."""
    return any(name.startswith("image_encoder.") for name in names)
