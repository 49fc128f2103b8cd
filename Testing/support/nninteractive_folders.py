"""Tiny nnInteractive folders with random weights, in the layout that is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from dynamic_network_architectures.architectures.unet import ResidualEncoderUNet

CONFIGURATION = "3d_fullres_tiny"
# Enough for what is 30 voxels wide. Refinement after a zoom leaves 24 voxels on each side of a
# patch to its neighbours, so it needs a larger one.
PATCH, PATCH_TO_ZOOM = 48, 64
_CHANNELS = 8

TINY = {
    "n_stages": 2,
    "features_per_stage": [2, 4],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3]] * 2,
    "strides": [[1, 1, 1], [2, 2, 2]],
    "n_blocks_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
# The network that is published, the preset L of nnU-Net's residual encoders, and its patch.
PUBLISHED = TINY | {
    "n_stages": 6,
    "features_per_stage": [32, 64, 128, 256, 320, 320],
    "kernel_sizes": [[3, 3, 3]] * 6,
    "strides": [[1, 1, 1], *[[2, 2, 2]] * 5],
    "n_blocks_per_stage": [1, 3, 4, 6, 6, 6],
    "n_conv_per_stage_decoder": [1] * 5,
}
PUBLISHED_PATCH = 192


def plans(architecture: dict[str, Any], patch: int) -> dict[str, Any]:
    """Plans whose configuration inherits from another, as the published one does."""
    return {
        "dataset_name": "Dataset999_Tiny",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "OneOfTheTraining",
                "spacing": [1.0, 1.0, 1.0],
                "normalization_schemes": ["ZScoreNormalization"],
                "architecture": {
                    "network_class_name": (
                        "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
                    ),
                    "arch_kwargs": dict(architecture),
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
            },
            CONFIGURATION: {"inherits_from": "3d_fullres", "patch_size": [patch] * 3},
        },
    }


def checkpoint(architecture: dict[str, Any], seed: int = 0, **other: Any) -> dict[str, Any]:
    """What the fold's file holds, as it was published: without the optimiser's state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        arguments = {
            **architecture,
            "conv_op": torch.nn.Conv3d,
            "norm_op": torch.nn.InstanceNorm3d,
            "nonlin": torch.nn.LeakyReLU,
        }
        network = ResidualEncoderUNet(_CHANNELS, num_classes=2, **arguments)
        for layer in network.decoder.seg_layers:
            # Features are alike on average, so that neither class wins everywhere.
            torch.nn.init.normal_(layer.weight, std=1.0)
            layer.weight.data -= layer.weight.data.mean(dim=1, keepdim=True)
            layer.bias.data.zero_()
    return {
        "network_weights": network.state_dict(),
        "init_args": {"configuration": CONFIGURATION, "fold": 0, "device": torch.device("cuda")},
        "trainer_name": "nnInteractiveTrainer_stub",
        "current_epoch": 1000,
        "inference_allowed_mirroring_axes": None,
        **other,
    }


def write_folder(
    folder: Path,
    seed: int = 0,
    about_prompts: dict[str, Any] | None = None,
    patch: int = PATCH,
    architecture: dict[str, Any] = TINY,
    **other: Any,
) -> Path:
    """Write such a folder.

    Args:
        folder: where.
        seed: of the weights.
        about_prompts: the content of inference_info.json; None for the file of version 1.0.
        patch: the side of a patch.
        architecture: the settings of the network.
        other: entries of the checkpoint.
    """
    (folder / "fold_0").mkdir(parents=True)
    told = {"channel_names": {"0": "image"}, "labels": {"background": 0, "object": 1}}
    (folder / "dataset.json").write_text(json.dumps(told))
    (folder / "plans.json").write_text(json.dumps(plans(architecture, patch)))
    (folder / "LICENSE").write_text("CC BY-NC-SA 4.0\n")
    name, content = "inference_info.json", about_prompts
    if content is None:
        name = "inference_session_class.json"
        content = {
            "inference_class": "nnInteractiveInferenceSession",
            "point_radius": 4,
            "preferred_scribble_thickness": 2,
        }
    (folder / name).write_text(json.dumps(content))
    torch.save(checkpoint(architecture, seed, **other), folder / "fold_0" / "checkpoint_final.pth")
    return folder
