"""What was written before the library had folders is read as it was then.

`support/before_layout` was made by the last version whose modules lay side by side.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import run

from MedSegFMLib import Box, Geometry, Lasso, Point, Scribble, Text
from MedSegFMLib.evaluate.records import Row
from MedSegFMLib.evaluate.results.run_log import read_runs
from MedSegFMLib.models.sam.lora_file import read_facts
from MedSegFMLib.mrml.scene_state import state_from_json, state_to_json
from MedSegFMLib.prompts.json_format import read_prompts
from MedSegFMLib.synthesis.recorded.pack_format import load_pack
from MedSegFMLib.tasks.csv_files import read_records
from MedSegFMLib.weights import store

FOLDER = Path(__file__).with_name("support") / "before_layout"
GEOMETRY = Geometry.from_spacing((10, 12, 14), (1.0, 1.0, 2.0))


def test_prompts_are_read() -> None:
    prompts = read_prompts(FOLDER / "prompts.json")
    assert prompts.objects == ((1, "first"), (2, "second"))
    assert [(label, type(prompt)) for label, prompt in prompts.entries] == [
        (1, Box),
        (1, Point),
        (1, Scribble),
        (2, Lasso),
        (2, Text),
    ]
    assert prompts.entries[1][1] == Point.from_ijk(GEOMETRY, (6, 6, 5), True)


def test_the_state_in_a_scene_is_read() -> None:
    text = (FOLDER / "scene.json").read_text(encoding="utf-8")
    state = state_from_json(text)
    assert state.prompts == read_prompts(FOLDER / "prompts.json")
    assert (state.model, state.seed, state.segment_ids) == ("randomwalk", 7, {1: "Segment_1"})
    assert state.geometry is not None and state.geometry.matches(GEOMETRY, 1e-9)
    assert state.model_voxels[1].mask_kji.sum() == 18
    # The scene names the model as it was called then, and does not record what was answered: of its
    # two objects one has no voxels.
    now = {"model": "randomwalk", "answered_by": None}
    assert json.loads(state_to_json(state)) == json.loads(text) | now


def test_a_pack_is_read() -> None:
    (recording,) = load_pack(FOLDER / "pack.npz")
    assert (recording.name, recording.groups) == ("tiny", ((1,),))
    assert recording.labels is not None and np.count_nonzero(recording.labels) == 36


def test_a_results_folder_is_gone_on_with(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "before")
    cases, results = tmp_path / "before" / "cases", tmp_path / "before" / "results"
    # A case is the same while its files have the times that they had.
    for name in ("ball.nrrd", "ball-label.nrrd"):
        os.utime(cases / name, ns=(1_700_000_000_000_000_000,) * 2)
    rows = read_records(results / "results.csv", Row)
    words = ["--models", "ellipsoid", "--clicks", "1", "--jobs", "1", "--out", results]
    assert run("evaluate", cases / "cases.json", *words) == 0
    assert read_records(results / "results.csv", Row) == rows
    # The second run found nothing left to do.
    assert [record.done for record in read_runs(results)] == [1, 0]


def test_a_training_is_gone_on_with(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from MedSegFMLib.train import state

    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    task = SimpleNamespace(
        must_match={"cells": 16, "skip": "concat"},
        optimisers=[optimiser],
        restore=network.load_state_dict,
    )
    counters = state.resume(FOLDER / "checkpoint", "ensam", SimpleNamespace(), task)
    assert counters.samples == 12
    assert len(optimiser.state_dict()["state"]) == 2


def test_an_adapter_tells_what_it_is_of() -> None:
    facts = read_facts(FOLDER / "adapter")
    assert (facts.base, facts.network, facts.prepared) == ("tiny.pth", "vit_b", "sam")


def test_the_shipped_weights_are_those_of_the_catalogue() -> None:
    store.verify_recorded(store.find("ensam"))
