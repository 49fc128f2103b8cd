"""How to give nnInteractive a 3D box, if its weights know 2D ones only.

A network that gets the 3D box itself is the reference: its channel of boxes is the same. For each
way, the Dice of the mask with that of the reference, over random networks, smooth random volumes
and random boxes. It cannot show what trained networks make of these ways. Run from the checkout:
PYTHONPATH=.:Testing/support python Testing/benchmarks/nninteractive_boxes.py [--cases 12]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from nninteractive_folders import write_folder
from scipy.ndimage import gaussian_filter

from MedSegFMLib import Box, Geometry, Session, Volume, create

SIDE = 30
WAYS = ("planes", "1", "2", "3", "4", "6", "8")
_NAMES = {"planes": "three planes", "1": "every slice"}


def make_case(rng: np.random.Generator) -> tuple[Volume, Box]:
    """A smooth random volume and a box of 8 to 20 voxels a side."""
    shape = (SIDE,) * 3
    array = gaussian_filter(rng.standard_normal(shape), 2).astype(np.float32)
    volume = Volume(array, Geometry.from_spacing(shape, (1, 1, 1)))
    size = rng.integers(8, 21, 3)
    start = rng.integers(0, SIDE - size + 1)
    return volume, Box.from_ijk(volume.geometry, start.tolist(), (start + size).tolist())


def mask_with(folder: Path, volume: Volume, box: Box, way: str) -> np.ndarray:
    """The mask of a network for a box that is given in some way."""
    model = create("nninteractive", "cpu", weights=folder, box=way, autozoom="no")
    session = Session(model, volume)
    session.add(box)
    return session.predict().mask.array_kji > 0


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """The Dice of two masks; 1 if both are empty."""
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as place:
        for seed in range(arguments.cases):
            native = {"supported_interactions": {"bbox3d": True}}
            three = write_folder(Path(place, f"{seed}-3d"), seed, native)
            two = write_folder(Path(place, f"{seed}-2d"), seed, {})
            volume, box = make_case(np.random.default_rng(seed))
            reference = mask_with(three, volume, box, "planes")
            for way in WAYS:
                found[way].append(dice(mask_with(two, volume, box, way), reference))
    print("| box as | Dice with the 3D box, mean | least |\n|---|---|---|")
    for way, scores in found.items():
        name = _NAMES.get(way, f"every {way} slices")
        print(f"| {name} | {np.mean(scores):.3f} | {min(scores):.3f} |")


if __name__ == "__main__":
    main()
