"""Random SAM3 checkpoints with tiny networks and a tiny tokenizer, in the published layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Sam3Config, Sam3Model, Sam3TrackerVideoConfig, Sam3VideoConfig

from MedSegFMLib.models.medical_sam3.tensor_names import source_of
from MedSegFMLib.models.medical_sam3.tracker_tensor_names import (
    MODEL,
    NECK,
    sources_of,
)
from MedSegFMLib.models.medical_sam3.tracker_weights import Sam3Tracker, empty_tracker
from MedSegFMLib.models.medical_sam3.weights import CONFIG, IN_FOLDER, write_config

SIDE = 56
_WIDTH = 32
# The tracker's memory has 64 channels whatever its configuration says, and more must go into it.
TRACKED_WIDTH = 128


def tiny_config(layers: int = 2, width: int = _WIDTH) -> Sam3Config:
    """A network of 56 by 56 pixels, 16 patches and 6 queries; `layers` in each transformer.

    width: channels of all that is above the vision transformer.
    """
    numbered = {
        "hidden_size": width,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "num_layers": layers,
    }
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
            "fpn_hidden_size": width,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config=text,
        geometry_encoder_config=numbered,
        detr_encoder_config=numbered,
        detr_decoder_config={**numbered, "num_queries": 6},
        mask_decoder_config={"hidden_size": width, "num_attention_heads": 4},
    )


def tiny_tracker_config(detector: Any) -> Sam3TrackerVideoConfig:
    """A tracker above a tiny network that is `TRACKED_WIDTH` wide."""
    width = detector.vision_config.fpn_hidden_size
    return Sam3TrackerVideoConfig(
        vision_config=detector.vision_config.to_dict(),
        image_size=SIDE,
        prompt_encoder_config={"hidden_size": width, "patch_size": 14},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 48,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": 48,
        },
        memory_attention_hidden_size=width,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=48,
        memory_encoder_hidden_size=width,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=48,
    )


def random_sam3(seed: int = 0, config: Sam3Config | None = None) -> Sam3Model:
    """A network with random weights, large enough for answers to differ from one another."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: Any = Sam3Model(config or tiny_config())
        # Wider layers add up more numbers.
        spread = 0.2 * (_WIDTH / network.config.vision_config.fpn_hidden_size) ** 0.5
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(std=spread)
    network.eval()
    found: Sam3Model = network.requires_grad_(False)
    return found


def random_tracker(detector: Any, seed: int = 0) -> Sam3Tracker:
    """A tracker for a tiny network of that configuration, no two tensors of which are alike."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tracker = empty_tracker(tiny_tracker_config(detector), detector)
        parts: tuple[Any, Any] = (tracker.model, tracker.neck)
        with torch.no_grad():
            for part in parts:
                for parameter in part.parameters():
                    flat = parameter.ndim < 2
                    fresh = torch.randn_like(parameter) * (0.05 if flat else 0.1)
                    parameter.copy_(fresh + 1 if flat else fresh)
            positions = tracker.model.shared_image_embedding.positional_embedding
            positions.normal_()
            tracker.model.prompt_encoder.shared_embedding.positional_embedding.copy_(positions)
    for part in parts:
        part.requires_grad_(False)
        part.eval()
    return tracker


def tracker_state(tracker: Sam3Tracker) -> dict[str, Tensor]:
    """Its tensors, named as in transformers' Sam3VideoModel."""
    parts = {MODEL: tracker.model, NECK: tracker.neck}
    return {
        prefix + name: tensor
        for prefix, part in parts.items()
        for name, tensor in part.state_dict().items()
    }


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


def write_checkpoint(folder: Path, seed: int = 0, tracker: bool = True) -> Path:
    """Weights, configuration and tokenizer in a folder, as transformers lays them out.

    tracker: as Sam3VideoModel, else as Sam3Model.
    """
    network: Any = random_sam3(seed, tiny_config(width=TRACKED_WIDTH) if tracker else None)
    state: dict[str, Tensor] = network.state_dict()
    config = network.config
    if tracker:
        state = {f"detector_model.{name}": tensor for name, tensor in state.items()}
        state.update(tracker_state(random_tracker(config, seed)))
        config = Sam3VideoConfig(
            detector_config=config.to_dict(),
            tracker_config=tiny_tracker_config(config).to_dict(),
        )
    write_tokenizer(folder)
    save_file({name: t.contiguous() for name, t in state.items()}, str(folder / IN_FOLDER))
    write_config(config, folder / CONFIG)
    return folder / IN_FOLDER


def upstream_tracker(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A tracker's tensors of transformers as SAM3's authors keep them, the neck's too."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        sources = sources_of(name)
        parts = dict(zip(sources, tensor.chunk(len(sources)), strict=True))
        prefix = "detector." if name.startswith(NECK) else ""
        found.update({prefix + source: part.clone() for source, part in parts.items()})
    return found


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
