"""Tiny MONAI bundles of SegResNet with random weights, laid out as wholeBody_ct_segmentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import SegResNet

CLASSES = ("spleen", "kidney_right", "kidney_left")


def inference(outputs: int = 1 + len(CLASSES)) -> dict[str, Any]:
    """A configuration with the references, expressions and steps of the published one."""
    return {
        "displayable_configs": {"highres": True, "sw_overlap": 0.25, "sw_batch_size": 1},
        "imports": ["$import glob", "$import os"],
        "bundle_root": ".",
        "image_key": "image",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "pixdim": "$[1.5, 1.5, 1.5] if @displayable_configs#highres else [3.0, 3.0, 3.0]",
        "modelname": "$'model.pt' if @displayable_configs#highres else 'model_lowres.pt'",
        "network_def": {
            "_target_": "SegResNet",
            "spatial_dims": 3,
            "in_channels": 1,
            "out_channels": outputs,
            "init_filters": 8,
            "blocks_down": [1, 1],
            "blocks_up": [1],
            "dropout_prob": 0.2,
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key"},
                {"_target_": "EnsureTyped", "keys": "@image_key"},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
                {
                    "_target_": "Spacingd",
                    "keys": "@image_key",
                    "pixdim": "@pixdim",
                    "mode": "bilinear",
                },
                {"_target_": "NormalizeIntensityd", "keys": "@image_key", "nonzero": True},
                {"_target_": "ScaleIntensityd", "keys": "@image_key", "minv": -1.0, "maxv": 1.0},
            ],
        },
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [16, 16, 16],
            "sw_batch_size": "@displayable_configs#sw_batch_size",
            "overlap": "@displayable_configs#sw_overlap",
            "padding_mode": "replicate",
            "mode": "gaussian",
            "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {
                    "_target_": "Invertd",
                    "keys": "pred",
                    "transform": "@preprocessing",
                    "orig_keys": "@image_key",
                    "nearest_interp": True,
                    "to_tensor": True,
                },
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
        "checkpointloader": {
            "_target_": "CheckpointLoader",
            "load_path": "$@bundle_root + '/models/' + @modelname",
            "load_dict": {"model": "@network"},
        },
        "initialize": ["$setattr(torch.backends.cudnn, 'benchmark', True)"],
    }


def metadata(names: tuple[str, ...]) -> dict[str, Any]:
    """The part of a metadata.json that names the outputs."""
    channels = {str(n): name for n, name in enumerate(names)}
    pred = {"type": "image", "format": "segmentation", "channel_def": channels}
    return {"version": "0.2.0", "network_data_format": {"outputs": {"pred": pred}}}


def random_state(seed: int = 0, **network: Any) -> dict[str, torch.Tensor]:
    """The tensors of a network that answers with some of each class."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state: dict[str, torch.Tensor] = SegResNet(**network).state_dict()
        for name, tensor in state.items():
            if "conv_final.2" in name:
                torch.nn.init.normal_(tensor, std=1.0)
    return state


def write_bundle(
    folder: Path,
    config: dict[str, Any] | None = None,
    names: tuple[str, ...] = ("background", *CLASSES),
) -> Path:
    """Write such a bundle: both resolutions, the coarser with other weights."""
    config = inference() if config is None else config
    for part in ("configs", "models"):
        (folder / part).mkdir(parents=True)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata(names)))
    arguments = {k: v for k, v in config["network_def"].items() if k != "_target_"}
    torch.save(random_state(0, **arguments), folder / "models" / "model.pt")
    torch.save({"model": random_state(1, **arguments)}, folder / "models" / "model_lowres.pt")
    return folder
