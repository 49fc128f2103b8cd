"""A small SAM3 that learns from nothing, and phantoms of an abdomen to teach it two contrasts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from medical_sam3_checkpoints import tiny_config, write_tokenizer
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter
from transformers import Sam3Model

from MedSegFMLib.models.medical_sam3.weights import CONFIG, IN_FOLDER, write_config
from MedSegFMLib.synthesis.phantom import ORGANS, abdomen_geometry, make_abdomen
from MedSegFMLib.train.recipes.medical_sam3.settings import MedicalSam3Settings
from MedSegFMLib.train.run import train
from MedSegFMLib.volumes.volume import Volume

# 64 patches, and masks of 32 by 32 pixels.
SIDE = 112
_WIDTH, _LAYERS, _QUERIES = 64, 2, 8
_SPACING_MM = (5.0, 5.0, 5.0)
_NAMES = {
    "liver": "liver",
    "spleen": "spleen",
    "kidney R": "right kidney",
    "kidney L": "left kidney",
}
# Numbers of phantoms; those of different uses are far apart.
FIRST_LEARNT, FIRST_ADAPTED, FIRST_SCORED = 0, 1000, 2000


def write_phantoms(folder: Path, learnt: int, scored: int, other_contrast: bool) -> Path:
    """Write labelled phantoms and their CASES.json; those to score are called "scored N".

    Args:
        folder: a new folder.
        learnt: the number of phantoms to learn from.
        scored: the number of phantoms to score.
        other_contrast: as an MR: half the contrast, twice the noise and a shading, without
            Hounsfield units.
    """
    folder.mkdir(parents=True, exist_ok=True)
    first = FIRST_ADAPTED if other_contrast else FIRST_LEARNT
    numbered = [(f"learnt {n}", first + n) for n in range(learnt)]
    numbered += [(f"scored {n}", FIRST_SCORED + n) for n in range(scored)]
    labels = {name: place for place, name in enumerate((o.name for o in ORGANS), 1)}
    objects = {str(labels[organ]): said for organ, said in _NAMES.items()}
    cases = []
    for name, seed in numbered:
        made = make_abdomen(seed, abdomen_geometry(_SPACING_MM))
        image = _other_contrast(made.image, seed) if other_contrast else made.image
        image.write(folder / f"{name}.nrrd")
        made.labels.write(folder / f"{name}-label.nrrd")
        cases.append(
            {
                "name": name,
                "image": f"{name}.nrrd",
                "label": f"{name}-label.nrrd",
                "modality": "MR" if other_contrast else "CT",
                "objects": objects,
            }
        )
    path = folder / "cases.json"
    path.write_text(json.dumps({"cases": cases}), encoding="utf-8")
    return path


def train_base(folder: Path, steps: int, seed: int = 0) -> Path:
    """Weights trained from nothing on phantoms of their own contrast; those of an earlier call."""
    cases = folder / "phantoms" / "cases.json"
    if not cases.is_file():
        write_phantoms(cases.parent, 12, 2, other_contrast=False)
    settings = small_settings(
        folder / "learning",
        cases,
        base=_untrained(folder / "untrained", seed),
        mode="full",
        steps=steps,
        rate=1e-3,
        batch=6,
        planes="axial,coronal,sagittal",
    )
    trained = train("medical-sam3", settings)
    print(f"base: {trained.scores}", flush=True)
    return trained.path


def small_settings(out: Path, cases: Path, **changes: Any) -> MedicalSam3Settings:
    """Settings of a small run on a CPU that scores the phantoms called "scored N"."""
    listed = json.loads(cases.read_text(encoding="utf-8"))["cases"]
    held_back = ",".join(case["name"] for case in listed if case["name"].startswith("scored"))
    fixed: dict[str, Any] = {
        "held_back": held_back,
        "layer_decay": 1.0,
        "warmup": 20,
        "device": "cpu",
        "precision": "no",
        "threads": 1,
        "recomputed": False,
        "validate_samples": 10**9,
        "validate_slices": 48,
    }
    return MedicalSam3Settings(out=out, cases=cases, **{**fixed, **changes})


def _untrained(folder: Path, seed: int) -> Path:
    config = tiny_config(_LAYERS, _WIDTH)
    side = SIDE // 14
    config.vision_config.backbone_config.image_size = SIDE
    config.vision_config.backbone_feature_sizes = [[n * side] * 2 for n in (4, 2, 1)]
    config.detr_decoder_config.num_queries = _QUERIES
    torch.manual_seed(seed)
    network: Any = Sam3Model(config)
    write_tokenizer(folder)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, str(folder / IN_FOLDER))
    write_config(config, folder / CONFIG)
    return folder / IN_FOLDER


def _other_contrast(image: Volume, seed: int) -> Volume:
    rng = np.random.default_rng(seed)
    grey = image.array_kji.astype(np.float32)
    inside = grey > -500
    shape = image.geometry.shape_kji
    shading = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 12)
    bright = np.where(inside, 300 + 0.5 * np.clip(grey, -100, 350), 20)
    bright = bright * (1 + 0.15 * shading / np.abs(shading).max())
    bright += 28 * rng.standard_normal(shape, dtype=np.float32)
    return Volume(np.clip(bright, 0, None).astype(np.float32), image.geometry)
