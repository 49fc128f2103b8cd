"""Tiny nnU-Net folders with random weights, in the layout that its training writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet

LABELS: dict[str, Any] = {"background": 0, "liver": 1, "spleen": 2}
REGIONS: dict[str, Any] = {
    "background": 0,
    "whole tumour": [1, 2, 3],
    "core": [2, 3],
    "enhancing": 3,
}
CONFIGURATION = "3d_fullres"

_ARCHITECTURE = {
    "n_stages": 2,
    "features_per_stage": [4, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2]],
    "n_conv_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
_IMPORTED = ("conv_op", "norm_op", "dropout_op", "nonlin")
_RESAMPLED = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}


def plans(
    reader: str = "SimpleITKIO", transpose: tuple[int, ...] = (0, 1, 2), channels: int = 1
) -> dict[str, Any]:
    """Plans of one configuration as nnU-Net's default planner writes them."""
    intensities = {"mean": 50.0, "std": 40.0, "percentile_00_5": -20.0, "percentile_99_5": 120.0}
    return {
        "dataset_name": "Dataset999_Tiny",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": reader,
        "transpose_forward": list(transpose),
        "transpose_backward": np.argsort(transpose).tolist(),
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(n): intensities for n in range(channels)
        },
        "configurations": {
            CONFIGURATION: {
                "data_identifier": f"nnUNetPlans_{CONFIGURATION}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": [8, 16, 16],
                "spacing": [2.0, 1.1, 1.1],
                "normalization_schemes": ["ZScoreNormalization"] * channels,
                "use_mask_for_norm": [False] * channels,
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": _RESAMPLED,
                "resampling_fn_seg_kwargs": {**_RESAMPLED, "is_seg": True, "order": 1},
                "resampling_fn_probabilities_kwargs": {**_RESAMPLED, "order": 1},
                "architecture": {
                    "network_class_name": f"{PlainConvUNet.__module__}.PlainConvUNet",
                    "arch_kwargs": dict(_ARCHITECTURE),
                    "_kw_requires_import": list(_IMPORTED),
                },
                "batch_dice": False,
            }
        },
    }


def dataset(labels: dict[str, Any] | None = None, channels: int = 1) -> dict[str, Any]:
    """A dataset.json; regions are drawn in their order."""
    labels = LABELS if labels is None else labels
    told = {"channel_names": {str(n): f"MR{n}" for n in range(channels)}, "labels": labels}
    if any(isinstance(label, list) for label in labels.values()):
        told["regions_class_order"] = list(range(1, len(labels)))
    return {**told, "numTraining": 1, "file_ending": ".nii.gz"}


def checkpoint(heads: int, seed: int, channels: int = 1, **other: Any) -> dict[str, Any]:
    """What a fold's file holds: tensors, and what its trainer noted, numbers of numpy among it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        arguments = {
            **_ARCHITECTURE,
            "conv_op": torch.nn.Conv3d,
            "norm_op": torch.nn.InstanceNorm3d,
            "nonlin": torch.nn.LeakyReLU,
        }
        network = PlainConvUNet(input_channels=channels, num_classes=heads, **arguments)
        for layer in network.decoder.seg_layers:
            # Features are alike on average, so that no class wins everywhere.
            torch.nn.init.normal_(layer.weight, std=1.0)
            layer.weight.data -= layer.weight.data.mean(dim=1, keepdim=True)
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": {"state": {}, "param_groups": []},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5), np.float32(0.25)], "lrs": [0.01]},
        "_best_ema": np.float64(0.7),
        "current_epoch": 1000,
        "init_args": {
            "plans": plans(channels=channels),
            "configuration": CONFIGURATION,
            "fold": 0,
            "device": torch.device("cuda"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
        **other,
    }


def write_folder(
    folder: Path,
    labels: dict[str, Any] | None = None,
    folds: tuple[str, ...] = ("0",),
    channels: int = 1,
    **plan: Any,
) -> Path:
    """Write such a folder; plan: arguments of `plans`."""
    told = dataset(labels, channels)
    names = told["labels"].keys() - {"ignore"}
    heads = len(names - {"background"} if "regions_class_order" in told else names)
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(told))
    (folder / "plans.json").write_text(json.dumps(plans(channels=channels, **plan)))
    for number, fold in enumerate(folds):
        (folder / f"fold_{fold}").mkdir()
        torch.save(
            checkpoint(heads, number, channels), folder / f"fold_{fold}" / "checkpoint_final.pth"
        )
    return folder
