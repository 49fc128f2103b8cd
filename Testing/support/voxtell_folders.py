"""Tiny VoxTell folders and text encoders with random weights, in the layout that is published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import Qwen3Config, Qwen3Model
from voxtell.model.voxtell_model import VoxTellModel

PHRASES = ("liver", "left kidney", "right kidney", "ball", "a ball in the middle")
_LAYERS = ["conv_op", "norm_op", "dropout_op", "nonlin"]


@dataclass(frozen=True)
class Size:
    """The size of a network.

    Attributes:
        patch: The side of what it sees.
        features: The channels of each stage.
        blocks: The blocks of each stage of the encoder.
        sizes: Those of the text's part, which the plans do not state.
    """

    patch: int
    features: tuple[int, ...]
    blocks: tuple[int, ...]
    sizes: dict[str, int]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the plans."""
        stages = len(self.features)
        return {
            "n_stages": stages,
            "features_per_stage": list(self.features),
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * stages,
            "strides": [[1, 1, 1], *[[2, 2, 2]] * (stages - 1)],
            "n_blocks_per_stage": list(self.blocks),
            "n_conv_per_stage_decoder": [1] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }

    @property
    def stages(self) -> dict[int, dict[str, Any]]:
        """Channels and sides of all stages, as the package states them for its own."""
        return {
            number: {"channels": width, "shape": (self.patch >> number,) * 3}
            for number, width in enumerate(self.features)
        }


TINY = Size(
    *(64, (2, 4, 4, 4, 4, 4), (1,) * 6),
    {
        "text_embedding_dim": 16,
        "query_dim": 48,
        "num_heads": 2,
        "project_to_decoder_hidden_dim": 8,
    },
)
# The encoder of its training's code, and what its predictor states.
PUBLISHED = Size(
    *(192, (32, 64, 128, 256, 320, 320), (1, 3, 4, 6, 6, 6)),
    {
        "text_embedding_dim": 2560,
        "query_dim": 2048,
        "num_heads": 32,
        "project_to_decoder_hidden_dim": 2048,
    },
)


def network(size: Size = TINY) -> VoxTellModel:
    """The package's network of a size, with new weights."""
    kind = type("Sized", (VoxTellModel,), {"DECODER_CONFIGS": size.stages})
    layers = {"conv_op": nn.Conv3d, "norm_op": nn.InstanceNorm3d, "nonlin": nn.LeakyReLU}
    made: VoxTellModel = kind(
        input_channels=1,
        **{**size.settings, **layers},
        **size.sizes,
        decoder_layer=4,
        num_maskformer_stages=5,
        deep_supervision=False,
    )
    return made


def plans(size: Size = TINY) -> dict[str, Any]:
    """Plans of a training with a residual encoder."""
    return {
        "dataset_name": "Dataset999_Tiny",
        "plans_name": "nnUNetResEncUNetLPlans",
        "image_reader_writer": "NibabelIOWithReorient",
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "patch_size": [size.patch] * 3,
                "architecture": {
                    "network_class_name": "voxtell.model.VoxTellModel",
                    "arch_kwargs": size.settings,
                    "_kw_requires_import": _LAYERS,
                },
            }
        },
    }


def write_folder(
    folder: Path, seed: int = 0, size: Size = TINY, bank: bool = True, **other: Any
) -> Path:
    """Write a folder of the model.

    Args:
        folder: where.
        seed: of the weights.
        size: of the network.
        bank: whether embedded phrases lie in it.
        other: entries of the checkpoint.
    """
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans(size)))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tensors = network(size).state_dict()
    checkpoint = {"network_weights": tensors, "trainer_name": "VoxTellTrainer", **other}
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    if bank:
        write_bank(folder / "text_embeddings.npz", size.sizes["text_embedding_dim"])
    return folder


def write_bank(path: Path, channels: int, phrases: tuple[str, ...] = PHRASES) -> Path:
    """Write random embeddings of phrases."""
    rows = np.random.default_rng(0).normal(0, 3, (len(phrases), channels)).astype(np.float16)
    np.savez(path, labels=np.array(phrases), embeddings=rows)
    return path


def write_encoder(folder: Path, channels: int = 16, prefix: str = "") -> Path:
    """Write a tiny Qwen3 with a tokenizer of bytes, as the text encoder is published."""
    folder.mkdir(parents=True)
    letters = _byte_letters()
    end = "<|endoftext|>"
    config = {
        "model_type": "qwen3",
        "vocab_size": len(letters) + 2,
        "hidden_size": channels,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "hidden_act": "silu",
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "rope_scaling": None,
        "attention_bias": False,
        "use_sliding_window": False,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.51.2",
    }
    (folder / "config.json").write_text(json.dumps(config))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        settings = {k: config[k] for k in ("vocab_size", "hidden_size", "intermediate_size")}
        heads = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
        rotation = {"rope_type": "default", "rope_theta": 1_000_000}
        tiny = Qwen3Model(Qwen3Config(**settings, **heads, head_dim=8, rope_parameters=rotation))
        for tensor in tiny.parameters():
            nn.init.normal_(tensor, std=0.3) if tensor.ndim > 1 else None
    state = {f"{prefix}{n}": t.to(torch.bfloat16) for n, t in tiny.state_dict().items()}
    save_file(state, str(folder / "model.safetensors"), {"format": "pt"})
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(letters, end)))
    about = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": end, "pad_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return folder


def _byte_letters() -> list[str]:
    """The letters that stand for bytes in tokenizers of this kind."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def _tokenizer(letters: list[str], end: str) -> dict[str, Any]:
    vocabulary = {letter: number for number, letter in enumerate([*letters, "ba"])}
    last = len(vocabulary)
    special = {"id": last, "content": end, "single_word": False, "lstrip": False}
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    text = {"Sequence": {"id": "A", "type_id": 0}}
    closing = {"SpecialToken": {"id": end, "type_id": 0}}
    template = {
        "type": "TemplateProcessing",
        "single": [text, closing],
        "pair": [text, closing, {"Sequence": {"id": "B", "type_id": 0}}, closing],
        "special_tokens": {end: {"id": end, "ids": [last], "tokens": [end]}},
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{**special, "rstrip": False, "normalized": False, "special": True}],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": byte_level,
        "post_processor": {"type": "Sequence", "processors": [byte_level, template]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [["b", "a"]],
        },
    }
