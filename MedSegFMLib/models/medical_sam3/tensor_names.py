"""SAM3's original tensor names, as opposed to transformers'. Needs no package.

facebookresearch/sam3 stores query, key and value of an attention in one tensor, the position of a
class token that is not used, and one matrix transposed. Each of transformers' tensors is a part of
one of those, so that a checkpoint is complete if every part exists and no tensor is left over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..sam.layouts.authors_layout import Part, Source
from ..sam.sam3.tensor_names import NORMS, PARTS, vision_source
from ..sam.video_tensor_names import Renamed, Section

# In the detector and the text encoder: three projections in one, then the output projection.
_ATTENTION: Renamed = ((r"\.[qkv]_proj\.", ".in_proj_"), (r"\.o_proj\.", ".out_proj."))
_MLP: Renamed = ((r"\.mlp\.fc([12])\.", r".linear\1."),)
_ENCODER_LAYER: Renamed = (
    (r"\.cross_attn\.", ".cross_attn_image."),
    *_ATTENTION,
    *_MLP,
    *NORMS,
)
# Layers of small perceptrons are numbered from 0 in a list.
_LISTED: Renamed = tuple((rf"\.layer{n}\.", f".layers.{n - 1}.") for n in (1, 2, 3))

# By the prefix of transformers' name: the authors' prefix, and further renamings in order.
_SECTIONS: tuple[Section, ...] = (
    (
        "text_encoder.",
        "backbone.language_backbone.encoder.",
        (
            (r"\.text_model\.", "."),
            (r"\.embeddings\.token_embedding\.", ".token_embedding."),
            (r"\.embeddings\.position_embedding\.weight$", ".positional_embedding"),
            (r"\.text_projection\.weight$", ".text_projection"),
            (r"\.final_layer_norm\.", ".ln_final."),
            (r"\.encoder\.encoder\.layers\.", ".encoder.transformer.resblocks."),
            (r"\.layer_norm([12])\.", r".ln_\1."),
            (r"\.self_attn\.", ".attn."),
            *_ATTENTION,
            (r"\.mlp\.fc1\.", ".mlp.c_fc."),
            (r"\.mlp\.fc2\.", ".mlp.c_proj."),
        ),
    ),
    ("text_projection.", "backbone.language_backbone.resizer.", ()),
    (
        "geometry_encoder.",
        "geometry_encoder.",
        (
            (r"\.vision_layer_norm\.", ".img_pre_norm."),
            (r"\.prompt_layer_norm\.", ".norm."),
            (r"\.output_layer_norm\.", ".encode_norm."),
            (r"\.layers\.", ".encode."),
            *_ENCODER_LAYER,
        ),
    ),
    ("detr_encoder.", "transformer.encoder.", _ENCODER_LAYER),
    (
        "detr_decoder.",
        "transformer.decoder.",
        (
            (r"\.presence_head\.", ".presence_token_head."),
            (r"\.presence_layer_norm\.", ".presence_token_out_norm."),
            (r"\.box_head\.", ".bbox_embed."),
            (r"\.box_rpb_embed_", ".boxRPB_embed_"),
            (r"decoder\.output_layer_norm\.", "decoder.norm."),
            (r"\.vision_cross_attn_layer_norm\.", ".norm1."),
            (r"\.text_cross_attn_layer_norm\.", ".catext_norm."),
            (r"\.self_attn_layer_norm\.", ".norm2."),
            (r"\.mlp_layer_norm\.", ".norm3."),
            (r"\.text_cross_attn\.", ".ca_text."),
            (r"\.vision_cross_attn\.", ".cross_attn."),
            *_ATTENTION,
            *_MLP,
            *_LISTED,
        ),
    ),
    (
        "dot_product_scoring.",
        "dot_prod_scoring.",
        (
            (r"\.text_mlp_out_norm\.", ".prompt_mlp.out_norm."),
            (r"\.text_mlp\.", ".prompt_mlp."),
            (r"\.text_proj\.", ".prompt_proj."),
            (r"\.query_proj\.", ".hs_proj."),
            *_LISTED,
        ),
    ),
    (
        "mask_decoder.",
        "segmentation_head.",
        (
            (r"\.mask_embedder\.", ".mask_predictor.mask_embed."),
            (r"\.instance_projection\.", ".instance_seg_head."),
            (r"\.semantic_projection\.", ".semantic_seg_head."),
            (r"\.prompt_cross_attn_norm\.", ".cross_attn_norm."),
            (r"\.prompt_cross_attn\.", ".cross_attend_prompt."),
            *_ATTENTION,
        ),
    ),
)

_VISION = "vision_encoder."
# These two scoring projections do not belong to an attention.
_NO_ATTENTION = "dot_product_scoring."

# The detector's prefixes in both layouts, the longer one first; bare checkpoints have neither.
_DETECTOR = ("detector_model.", "detector.")
# The other network of the same checkpoint, which tracks objects through videos.
_TRACKER = ("tracker.", "tracker_model.", "tracker_neck.", "backbone.vision_backbone.sam2_convs.")
_UPSTREAM = ("backbone.", "transformer.", "dot_prod_scoring.", "segmentation_head.")
# Tables that the network computes itself, and the click encoder, which the detector never used.
_LEFT_OVER = re.compile(
    r"backbone\.vision_backbone\.trunk\.blocks\.\d+\.attn\.freqs_cis(_real|_imag)?"
    r"|geometry_encoder\.points_(direct_project|pool_project|pos_enc_project)\.(weight|bias)"
)


def source_of(name: str) -> Source:
    """The authors' tensor for transformers' name of a tensor, which has no prefix."""
    if name.startswith(_VISION):
        return vision_source(name)
    for beginning, prefix, renamed in _SECTIONS:
        if name.startswith(beginning):
            original = prefix + name.removeprefix(beginning)
            for pattern, replacement in renamed:
                original = re.sub(pattern, replacement, original)
            return Source(original, _part(name))
    return Source(name)


def bare(name: str) -> str | None:
    """A tensor's name without the detector's prefix; None for a tensor of the tracker."""
    for prefix in _DETECTOR:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    return None if name.startswith(_TRACKER) else name


def is_upstream(names: Iterable[str]) -> bool:
    """Whether bare names are the authors' rather than transformers'."""
    return any(name.startswith(_UPSTREAM) for name in names)


def is_left_over(name: str) -> bool:
    """Whether a tensor of the authors is unused by the detector."""
    return _LEFT_OVER.fullmatch(name) is not None


def _part(name: str) -> Part:
    if name == "text_encoder.text_projection.weight":
        return "turned"
    if not name.startswith(_NO_ATTENTION):
        for mark, part in PARTS.items():
            if mark in name:
                return part
    return "whole"
