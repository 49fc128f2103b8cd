"""nnU-Net's own trainer and predictor on one volume, with the plans that it makes for it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from MedSegFMLib import Geometry, Volume


def planned_trainer(
    folder: Path,
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    gigabytes: float,
    device: Any,
) -> Any:
    """Plans, preprocessing and an initialised trainer of the configuration 3d_fullres.

    Args:
        folder: where the data set and the files of nnU-Net are written.
        image: (K, J, I), voxels of 1 mm.
        labels: the same shape, 0 or 1.
        gigabytes: the memory of the GPU that nnU-Net plans for.
        device: the device to train on.
    """
    root = Path(tempfile.mkdtemp(dir=folder))
    for name in ("raw", "preprocessed", "results"):
        (root / name).mkdir()
        os.environ[f"nnUNet_{name}"] = str(root / name)
    os.environ |= {"nnUNet_n_proc_DA": "1"}
    write_dataset(root / "raw" / "Dataset001_Volume", image, labels)
    # Imported only now: the package reads its folders from the environment.
    from nnunetv2.experiment_planning import plan_and_preprocess_api as planning
    from nnunetv2.run.run_training import get_trainer_from_args

    planning.extract_fingerprints([1], num_processes=1, show_progress_bar=False)
    planning.plan_experiments([1], gpu_memory_target_in_gb=gigabytes)
    planning.preprocess([1], configurations=["3d_fullres"], num_processes=[1])
    # Augmentation in this process, so that it counts.
    os.environ |= {"nnUNet_n_proc_DA": "0"}
    trainer = get_trainer_from_args("1", "3d_fullres", "all", device=device)
    trainer.initialize()
    trainer.on_train_start()
    return trainer


def write_dataset(folder: Path, image: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
    """The volume as a data set of nnU-Net."""
    geometry = Geometry.from_spacing(image.shape)
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    Volume(image, geometry).write(folder / "imagesTr" / "volume_0000.nii.gz")
    Volume(labels, geometry).write(folder / "labelsTr" / "volume.nii.gz")
    facts = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "object": 1},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")


def predictor_of(trainer: Any) -> Any:
    """The predictor of what a trainer has trained, without mirror images."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer.set_deep_supervision_enabled(False)
    predictor = nnUNetPredictor(
        use_mirroring=False,
        perform_everything_on_device=False,
        device=trainer.device,
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        None,
        trainer.dataset_json,
        "nnUNetTrainer",
        None,
    )
    return predictor


def tiles(shape: Sequence[int], patch: Sequence[int]) -> int:
    """The number of windows of the predictor, which overlap by half."""
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    return prod(len(row) for row in compute_steps_for_sliding_window(shape, patch, 0.5))
