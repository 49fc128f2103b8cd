"""Two labelled cases for `medsegfm evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume


@pytest.fixture
def cases_path(tmp_path: Path) -> Path:
    """Two labelled cases: one with two objects, one whose label is on a flipped grid."""
    folder = tmp_path / "cases"
    folder.mkdir()
    entries = []
    for n, name in enumerate(["two", "flipped"]):
        volume, mask = make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)), seed=n)
        labels = mask.astype(np.uint8)
        if name == "two":
            volume.array_kji[:, :, 12:][mask[:, :, 12:]] += 100
            labels[:, :, 12:] *= 2
        label = Volume(labels, volume.geometry)
        volume.write(folder / f"{name}.nrrd")
        (label if name == "two" else label.flip(0).flip(2)).write(folder / f"{name}-label.nrrd")
        entries.append(
            {
                "name": name,
                "image": f"{name}.nrrd",
                "label": f"{name}-label.nrrd",
                "modality": "MR",
                "objects": {"1": "left", "2": "right"} if name == "two" else {"1": "ball"},
            }
        )
    (folder / "cases.json").write_text(json.dumps({"cases": entries}))
    return folder / "cases.json"
