"""The order of the spacing in npz files, which a user may know better than a list of cases."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run

from MedSegFMLib.datasets.cases import Case, in_spacing_order, read_cases


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file whose spacing is (z, y, x)."""
    labels = np.zeros((8, 16, 16), np.uint8)
    labels[2:6, 3:13, 3:13] = 1
    image = (labels * 100 + 20).astype(np.uint8)
    (tmp_path / "npz").mkdir()
    np.savez_compressed(tmp_path / "npz/CT_a.npz", imgs=image, gts=labels, spacing=(6.0, 1.0, 1.0))
    return tmp_path / "npz"


def surface_dice(source: Path, out: Path, *words: Any) -> float:
    given = ["--models", "ellipsoid", "--jobs", 1, "--clicks", 0, *words]
    assert run("evaluate", source, "--out", out, *given) == 0
    with (out / "results.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    return float(row["nsd"])


def test_evaluate_measures_in_the_order_that_is_given(folder: Path, tmp_path: Path) -> None:
    asked = surface_dice(folder, tmp_path / "zyx", "--spacing-order", "zyx")
    assert asked != pytest.approx(surface_dice(folder, tmp_path / "xyz"), abs=0.01)
    case = {"name": "CT_a", "image": "CT_a.npz", "modality": "CT", "objects": {"1": "x"}}
    listed = tmp_path / "list.json"
    case |= {"image": "npz/CT_a.npz", "spacing_order": "zyx"}
    listed.write_text(json.dumps({"cases": [case]}), encoding="utf-8")
    assert asked == pytest.approx(surface_dice(listed, tmp_path / "list"))
    # The user's word counts before the list's.
    other = surface_dice(listed, tmp_path / "other", "--spacing-order", "xyz")
    assert other != pytest.approx(asked, abs=0.01)


def test_an_order_is_for_npz_files_alone(folder: Path) -> None:
    volume = Case("v", folder, folder / "v.nii.gz", folder / "l.nii.gz", "CT", ((1, "x"),))
    cases = [*read_cases(folder), volume]
    orders = [case.spacing_order for case in in_spacing_order(cases, "zyx")]
    assert orders == ["zyx", "xyz"] and in_spacing_order(cases, None) == cases
