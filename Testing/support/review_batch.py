"""A batch to review: three balls, one harder to see than the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from command_line import run
from sample_volumes import make_blob

from MedSegFMLib import Box, Geometry, Volume
from MedSegFMLib.prompts.json_format import write_prompts
from MedSegFMLib.prompts.prompt_list import PromptList

GRID = Geometry.from_spacing((10, 14, 16), (1.0, 1.0, 2.0))
BALL = PromptList().with_object("ball").added(1, Box.from_ijk(GRID, (2, 2, 1), (14, 12, 9)))
FAST = ["--model", "randomwalk", "--quick", "--jobs", 1]


def write_batch(folder: Path, ending: str = ".nii.gz") -> None:
    """Write the volumes a, b and c and their prompts into `in`, and their results into `out`.

    Args:
        folder: the folder of both.
        ending: that of the results.
    """
    volumes = folder / "in"
    volumes.mkdir(parents=True)
    ball, _ = make_blob(GRID)
    for n, name in enumerate("abc"):
        noise = np.random.default_rng(n).normal(0, 150 if name == "b" else 1, GRID.shape_kji)
        Volume((ball.array_kji + noise).astype(np.float32), GRID).write(volumes / f"{name}.nii.gz")
        write_prompts(BALL, volumes / f"{name}.json")
    code = run("segment", volumes, *FAST, "--ending", ending, "--out", folder / "out")
    assert code == 0, "the batch was not segmented"


def enlarge(folder: Path, cases: int) -> None:
    """Add copies of the case a to a batch, with all files and rows of their own.

    Args:
        folder: that of `write_batch`.
        cases: the number of cases afterwards.
    """
    names = [f"copy-{n:03}" for n in range(cases - 3)]
    for path in (*(folder / "in").glob("a.*"), *(folder / "out").glob("a.*")):
        for name in names:
            shutil.copyfile(path, path.with_name(name + path.name.removeprefix("a")))
    for path in (folder / "out").glob("*.csv"):
        lines = path.read_text(encoding="utf-8").splitlines()
        own = [line for line in lines if line.startswith("a,")]
        lines += [_renamed(line, name) for name in names for line in own]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = folder / "out" / "batch.json"
    batch = json.loads(path.read_text(encoding="utf-8"))
    batch["outputs"] += [f"{name}.nii.gz" for name in names]
    path.write_text(json.dumps(batch), encoding="utf-8")


def _renamed(line: str, name: str) -> str:
    """The row of a case as that of its copy."""
    return name + line.removeprefix("a").replace(",a.nii.gz,", f",{name}.nii.gz,")
