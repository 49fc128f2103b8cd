"""Random SAM3 checkpoints with tiny networks and a tiny tokenizer, in the published layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Sam3Config, Sam3Model

from MedSegFMLib.models.medical_sam3_names import source_of
from MedSegFMLib.models.medical_sam3_weights import CONFIG, IN_FOLDER, write_config

SIDE = 56
_WIDTH = 32
_LAYERS = {"hidden_size": _WIDTH, "num_attention_heads": 4, "intermediate_size": 48}


def tiny_config(layers: int = 2) -> Sam3Config:
    """A network of 56 by 56 pixels, 16 patches and 6 queries; `layers` in each transformer."""
    numbered = {**_LAYERS, "num_layers": layers}
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": _WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": 14,
        "window_size": 2,
        "global_attn_indexes": [layers - 1],
        "pretrain_image_size": 28,
    }
    text = {
        "model_type": "clip_text_model",
        "vocab_size": len(vocabulary()),
        "hidden_size": _WIDTH,
        "intermediate_size": 48,
        "projection_dim": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "max_position_embeddings": 16,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    return Sam3Config(
        vision_config={
            "backbone_config": backbone,
            "fpn_hidden_size": _WIDTH,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config=text,
        geometry_encoder_config=numbered,
        detr_encoder_config=numbered,
        detr_decoder_config={**numbered, "num_queries": 6},
        mask_decoder_config={"hidden_size": _WIDTH, "num_attention_heads": 4},
    )


def random_sam3(seed: int = 0, config: Sam3Config | None = None) -> Sam3Model:
    """A network with random weights, large enough for answers to differ from one another."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: Any = Sam3Model(config or tiny_config())
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(std=0.2)
    network.eval()
    found: Sam3Model = network.requires_grad_(False)
    return found


def vocabulary() -> dict[str, int]:
    """Begin, end, and letters within a word and at its end."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,"
    pieces = [
        "<|startoftext|>",
        "<|endoftext|>",
        *letters,
        *(f"{letter}</w>" for letter in letters),
    ]
    return {piece: number for number, piece in enumerate(pieces)}


def write_tokenizer(folder: Path) -> Path:
    """CLIP's two files, with letters for tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary()), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return folder


def write_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Weights, configuration and tokenizer in a folder, as transformers lays them out."""
    network = random_sam3(seed)
    write_tokenizer(folder)
    save_file(dict(network.state_dict()), str(folder / IN_FOLDER))
    write_config(network.config, folder / CONFIG)
    return folder / IN_FOLDER


def upstream_layout(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of transformers as SAM3's authors keep them, with all that nothing reads."""
    thirds: dict[str, dict[str, Tensor]] = {}
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        source = source_of(name)
        if source.part == "whole":
            found[source.name] = tensor
        elif source.part == "turned":
            found[source.name] = tensor.T
        elif source.part == "without class":
            found[source.name] = torch.cat([torch.randn_like(tensor[:, :1]), tensor], dim=1)
        else:
            thirds.setdefault(source.name, {})[source.part] = tensor
    for name, parts in thirds.items():
        found[name] = torch.cat([parts["query"], parts["key"], parts["value"]])
    blocks = [name for name in found if name.endswith(".attn.qkv.weight")]
    for name in blocks:
        found[name.replace("qkv.weight", "freqs_cis")] = torch.ones(4, 2, dtype=torch.complex64)
    for part in ("points_direct_project", "points_pool_project", "points_pos_enc_project"):
        for kind in ("weight", "bias"):
            found[f"geometry_encoder.{part}.{kind}"] = torch.zeros(3)
    return found
