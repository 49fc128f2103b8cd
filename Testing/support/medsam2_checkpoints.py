"""Random MedSAM2 checkpoints with tiny networks, in the published layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Sam2VideoConfig, Sam2VideoModel

from MedSegFMLib.models.sam.layouts.transformers_files import CONFIG, IN_FOLDER
from MedSegFMLib.models.sam.sam2.config_file import BACKBONE_TYPE, STRIDES, VISION_TYPE
from MedSegFMLib.models.sam.sam2.tensor_names import sources_of
from MedSegFMLib.system.atomic_files import write_text

SIDE = 64
# The tracker's memory has 64 channels, and more must go into it.
_WIDTH = 128
# The masks of these weights are neither empty nor full.
_SEED = 4


def tiny_config() -> Sam2VideoConfig:
    """A network of 64 by 64 pixels with four narrow stages."""
    return Sam2VideoConfig(**tiny_settings(SIDE))


def tiny_settings(side: int) -> dict[str, Any]:
    """The settings of such a network for slices of `side` pixels a side."""
    levels = [[side // stride] * 2 for stride in STRIDES]
    stages = [16, 24, 32, 48]
    return dict(
        image_size=side,
        vision_config={
            "model_type": VISION_TYPE,
            "backbone_channel_list": stages[::-1],
            "backbone_feature_sizes": levels,
            "fpn_hidden_size": _WIDTH,
            "backbone_config": {
                "model_type": BACKBONE_TYPE,
                "hidden_size": stages[0],
                "image_size": [side, side],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": stages,
                "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [4, 4, 4, 2],
                "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [2, 2],
            },
        },
        prompt_encoder_config={"hidden_size": _WIDTH, "image_size": side},
        mask_decoder_config={
            "hidden_size": _WIDTH,
            "mlp_dim": 48,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 48,
        },
        memory_attention_hidden_size=_WIDTH,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=48,
        memory_attention_rope_feat_sizes=levels[-1],
        memory_encoder_hidden_size=_WIDTH,
        mask_downsampler_embed_dim=_WIDTH,
        memory_fuser_embed_dim=_WIDTH,
        memory_fuser_intermediate_dim=48,
    )


def random_medsam2(seed: int = _SEED, config: Sam2VideoConfig | None = None) -> Sam2VideoModel:
    """A network, no two tensors of which are alike, that always finds its object present.

    Its masks have edges, because they follow the finest features.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: Any = Sam2VideoModel(config or tiny_config())
        with torch.no_grad():
            for parameter in network.parameters():
                flat = parameter.ndim < 2
                fresh = torch.randn_like(parameter) * (0.05 if flat else 0.1)
                parameter.copy_(fresh + 1 if flat else fresh)
            network.mask_decoder.conv_s0.weight.mul_(20)
            for perceptron in network.mask_decoder.output_hypernetworks_mlps:
                perceptron.proj_out.weight.mul_(0.2)
                perceptron.proj_out.bias.sub_(1).mul_(0.2)
            network.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(1e3)
            positions = network.shared_image_embedding.positional_embedding
            positions.normal_()
            network.prompt_encoder.shared_embedding.positional_embedding.copy_(positions)
    network.eval()
    found: Sam2VideoModel = network.requires_grad_(False)
    return found


def write_checkpoint(
    folder: Path, upstream: bool = False, settings: dict[str, Any] | None = None
) -> Path:
    """Weights and their configuration in a folder: as transformers', or as a published `.pt`.

    settings: of another network than the tiny one.
    """
    config = tiny_config() if settings is None else Sam2VideoConfig(**settings)
    network: Any = random_medsam2(config=config)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, network.config.to_json_string())
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if upstream:
        torch.save({"model": upstream_layout(state)}, folder / "MedSAM2_latest.pt")
        return folder / "MedSAM2_latest.pt"
    save_file(state, str(folder / IN_FOLDER))
    return folder / IN_FOLDER


def upstream_layout(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of transformers as MedSAM2's authors keep them."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        sources = sources_of(name)
        parts = zip(sources, tensor.chunk(len(sources)), strict=True)
        found.update({source.name: part.clone() for source, part in parts})
    return found
