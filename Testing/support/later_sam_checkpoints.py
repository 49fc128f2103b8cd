"""Random checkpoints of the image side of SAM 2 and SAM 3, tiny, in the published layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from medsam2_checkpoints import random_medsam2, tiny_settings
from medsam2_checkpoints import upstream_layout as authors_sam2
from safetensors.torch import save_file
from torch import Tensor
from transformers import Sam2Config, Sam2Model, Sam3TrackerConfig, Sam3TrackerModel

from MedSegFMLib.models.sam.layouts.transformers_files import CONFIG, IN_FOLDER
from MedSegFMLib.models.sam.sam3.tensor_names import sources_of

SAM2_SIDE, SAM3_SIDE = 64, 84
_WIDTH = 32


def sam2_settings(side: int = SAM2_SIDE) -> dict[str, Any]:
    """The settings of a Sam2Model with four narrow stages."""
    settings = tiny_settings(side)
    parts = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
    return {part: settings[part] for part in parts}


def random_sam2(side: int = SAM2_SIDE) -> Any:
    """The image side of a random MedSAM2, which its tests share."""
    network = Sam2Model(Sam2Config(**sam2_settings(side)))
    own = random_medsam2().state_dict()
    network.load_state_dict({name: own[name] for name in network.state_dict()})
    return network.eval().requires_grad_(False)


def sam3_settings(levels: int = 4) -> dict[str, Any]:
    """The settings of a Sam3TrackerModel of 84 by 84 pixels, 36 patches.

    levels: Of its pyramid. The published network has four, of which the last is not used.
    """
    side, patch = SAM3_SIDE, 14
    grid = side // patch
    return {
        "vision_config": {
            "model_type": "sam3_vision_model",
            "fpn_hidden_size": _WIDTH,
            "scale_factors": [4.0, 2.0, 1.0, 0.5][:levels],
            "backbone_feature_sizes": [[grid * n] * 2 for n in (4, 2, 1)],
            "backbone_config": {
                "model_type": "sam3_vit_model",
                "hidden_size": _WIDTH,
                "intermediate_size": 48,
                "num_hidden_layers": 3,
                "num_attention_heads": 2,
                "image_size": side,
                "patch_size": patch,
                "window_size": 2,
                "global_attn_indexes": [1],
                "pretrain_image_size": 28,
            },
        },
        "prompt_encoder_config": {"hidden_size": _WIDTH, "image_size": side, "patch_size": patch},
        "mask_decoder_config": {
            "hidden_size": _WIDTH,
            "mlp_dim": 48,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 48,
        },
    }


def random_sam3(levels: int = 4, seed: int = 0) -> Any:
    """A network no two tensors of which are alike."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Sam3TrackerModel(Sam3TrackerConfig(**sam3_settings(levels)))
        with torch.no_grad():
            for parameter in network.parameters():
                flat = parameter.ndim < 2
                fresh = torch.randn_like(parameter) * (0.05 if flat else 0.15)
                parameter.copy_(fresh + 1 if flat else fresh)
            # Masks have edges, because they follow the finest features.
            network.mask_decoder.conv_s0.weight.mul_(20)
            for perceptron in network.mask_decoder.output_hypernetworks_mlps:
                perceptron.proj_out.weight.mul_(0.2)
                perceptron.proj_out.bias.sub_(1).mul_(0.2)
            positions = network.shared_image_embedding.positional_embedding
            positions.normal_()
            network.prompt_encoder.shared_embedding.positional_embedding.copy_(positions)
    return network.eval().requires_grad_(False)


def write_folder(folder: Path, network: Any) -> Path:
    """Weights and configuration as transformers' save_pretrained lays them out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(network.config.to_json_string(), encoding="utf-8")
    save_file({n: t.contiguous() for n, t in network.state_dict().items()}, folder / IN_FOLDER)
    return folder


def write_authors(path: Path, network: Any) -> Path:
    """Weights as the authors publish them, with the configuration beside the file.

    Of a SAM 2 with the memory of videos, of a SAM 3 with further parts of the detector and tracker.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    config = path.with_name(CONFIG)
    config.write_text(network.config.to_json_string(), encoding="utf-8")
    state: dict[str, Tensor] = network.state_dict()
    if isinstance(network, Sam2Model):
        whole = {**random_medsam2().state_dict(), **state}
        torch.save({"model": authors_sam2(whole)}, path)
    else:
        torch.save({"model": authors_sam3(state)}, path)
    return path


def authors_sam3(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a Sam3TrackerModel as SAM 3's authors keep them, beside others of theirs."""
    found: dict[str, Tensor] = {}
    thirds: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        sources = sources_of(name)
        for source, part in zip(sources, tensor.chunk(len(sources)), strict=True):
            if source.part == "without class":
                found[source.name] = torch.cat([torch.randn_like(part[:, :1]), part], dim=1)
            elif source.part == "whole":
                found[source.name] = part.clone()
            else:
                thirds.setdefault(source.name, {})[source.part] = part
    for name, parts in thirds.items():
        found[name] = torch.cat([parts["query"], parts["key"], parts["value"]])
    found["detector.geometry_encoder.cls_embed.weight"] = torch.ones(1, 4)
    found["detector.backbone.vision_backbone.convs.0.conv_1x1.weight"] = torch.ones(1, 4)
    found["tracker.maskmem_tpos_enc"] = torch.ones(7, 1, 1, 4)
    return found
