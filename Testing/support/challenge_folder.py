"""Folders of small npz files in the challenge's format."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

SHAPE = (12, 26, 24)


def write_file(path: Path, seed: int, shape: tuple[int, int, int] = SHAPE) -> Path:
    """Two bright cuboids side by side, labels 1 and 3, in noise."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    k, j, i = (int(n) for n in rng.integers(2, 5, 3))
    labels[k : k + 6, j : j + 9, i : i + 8] = 1
    labels[k : k + 6, j : j + 9, i + 8 : i + 14] = 3
    image = np.clip(60 + 60 * labels + rng.normal(0, 8, shape), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, imgs=image, gts=labels, spacing=np.array([0.8, 0.8, 2.5]))
    return path


def write_folder(folder: Path, sets: dict[str, int]) -> Path:
    """So many files of each data set, in subfolders of their names."""
    for number, (name, count) in enumerate(sets.items()):
        for n in range(count):
            write_file(folder / name / f"{name}_{n:03}.npz", 100 * number + n)
    return folder


def link_files(folder: Path, source: Path, count: int) -> Path:
    """A folder in which one file has `count` names, so that thousands are made at once."""
    folder.mkdir()
    for n in range(count):
        os.link(source, folder / f"CT_many_{n:05}.npz")
    return folder
