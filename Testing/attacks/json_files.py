"""Hostile JSON for every reader of it: depth, size, NUL, surrogates, keys twice, other types.

An escape is anything but success or a named error of one line, or more than some seconds.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MedSegFMLib import Box, Geometry
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.challenge_boxes import read_boxes
from MedSegFMLib.datasets.challenge_npz import read_objects
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.results.protocol_record import read_case_digests
from MedSegFMLib.evaluate.results.run_log import read_runs
from MedSegFMLib.models.ensam.network.config import EnsamConfig
from MedSegFMLib.models.nnunet.plans import checked_dataset, checked_plans
from MedSegFMLib.models.sam.lora_file import read_facts
from MedSegFMLib.models.segresnet.config import BundleConfig
from MedSegFMLib.mrml.autosave import snapshot_from_json
from MedSegFMLib.mrml.scene_state import state_from_json
from MedSegFMLib.prompts.json_format import prompts_to_json, read_prompts
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.synthesis.recorded.pack import read_sources
from MedSegFMLib.synthesis.recorded.pack_format import FORMAT, load_pack
from MedSegFMLib.train import checkpoint
from MedSegFMLib.weights import catalogue
from MedSegFMLib.weights.folders import read_json
from MedSegFMLib.weights.safetensors_header import read_header
from Testing.attacks import npz_files
from Testing.attacks.json_mutations import garbled, mutated

NAME = "JSON files"
# Some hundred times what the readers need, because tests share their cores.
_LONGEST_S = 20.0

_GRID = Geometry.from_spacing((3, 4, 5), (1.0, 1.0, 1.0))
_PROMPTS = json.loads(
    prompts_to_json(PromptList().with_object().added(1, Box.from_ijk(_GRID, (1, 1, 1), (3, 3, 2))))
)
_RUN = {
    "command": "evaluate",
    "seeds": [0],
    "begun": "2026",
    "done": 1,
    "failed": 0,
    "machines": [{"python": "3"}],
    "weights": {"ensam": "0"},
    "ended": "2026",
}
_HEADER = {
    "__metadata__": {"format": "medsegfm.crossplane", "facts": "{}"},
    "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
}
_STATE = {
    "format": "medsegfm-scene",
    "version": 1,
    "prompts": _PROMPTS,
    "model": "ensam",
    "answers": {},
}


@dataclass(frozen=True)
class Payload:
    """The name of a reader and the content of its file."""

    reader: str
    content: bytes


def inputs(rng: random.Random) -> Iterator[Payload]:
    """Endless changed files."""
    while True:
        name = rng.choice(list(READERS))
        text = mutated(rng, READERS[name][0])
        data = garbled(rng, text) if rng.random() < 0.25 else text.encode("utf-8", "surrogatepass")
        yield Payload(name, data)


def escape(payload: Payload, folder: Path) -> str | None:
    """Read the content and judge the outcome."""
    reader = READERS[payload.reader][1]
    begun = time.monotonic()
    try:
        reader(folder, payload.content)
    except MedSegFMError as error:
        if "\n" in str(error) or len(str(error)) > 5000:
            return f"{payload.reader}: a message of {len(str(error))} characters: {error}"[:500]
    except Exception as error:  # noqa: BLE001 - any other is an escape
        return f"{payload.reader}: {error!r} of {payload.content[:300]!r}"
    seconds = time.monotonic() - begun
    return f"{payload.reader}: {seconds:.1f} s" if seconds > _LONGEST_S else None


def _file(name: str, read: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def reader(folder: Path, content: bytes) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return reader


def _text(read: Callable[[str], object]) -> Callable[[Path, bytes], object]:
    return lambda folder, content: read(content.decode("utf-8", "replace"))


def _safetensors(folder: Path, content: bytes) -> None:
    path = folder / "w.safetensors"
    path.write_bytes(len(content).to_bytes(8, "little") + content + bytes(8))
    read_header(path)
    read_facts(path)


def _facts(folder: Path, content: bytes) -> None:
    facts = content.decode("utf-8", "replace")
    header = {"__metadata__": {"format": "medsegfm.crossplane", "facts": facts}}
    path = folder / "w.safetensors"
    data = json.dumps(header).encode()
    path.write_bytes(len(data).to_bytes(8, "little") + data)
    read_facts(path)


def _boxes(folder: Path, content: bytes) -> None:
    path = folder / "case.npz"
    path.write_bytes(npz_files.archive(npz_files.good_members()))
    path.with_name("case.boxes.json").write_bytes(content)
    read_boxes(path, np.ones((3, 4, 5), np.uint8))


def _objects(folder: Path, content: bytes) -> None:
    path = folder / "case.npz"
    array = np.array(content.decode("utf-8", "replace"))
    path.write_bytes(
        npz_files.archive(npz_files.good_members() | {"medsegfm_objects.npy": npz_files.npy(array)})
    )
    read_objects(path)


def _pack(folder: Path, content: bytes) -> None:
    path = folder / "pack.npz"
    array = np.array([FORMAT, content.decode("utf-8", "replace")])
    path.write_bytes(npz_files.archive({"index.npy": npz_files.npy(array)}))
    load_pack(path)


def _plans(path: Path) -> None:
    from MedSegFMLib.models.common.configuration_errors import configuration_errors

    with configuration_errors("nnunet", path, "nnU-Net writes", "give another"):
        checked_plans(read_json(path), "3d")
        checked_dataset(read_json(path))


def _bundle(path: Path) -> None:
    config = BundleConfig(path)
    config.data(config.values)


def _catalogue(path: Path) -> None:
    catalogue.read_entries(path)


READERS: dict[str, tuple[Any, Callable[[Path, bytes], object]]] = {
    "cases": (
        {"cases": [{"name": "a", "image": "a.nii", "label": "b.nii", "labels": {"1": "liver"}}]},
        _file("cases.json", read_cases),
    ),
    "prompts": (_PROMPTS, _file("prompts.json", read_prompts)),
    "protocol": (
        {"prompts": "box", "clicks": 2, "seeds": [0]},
        _file("protocol.json", lambda path: read_protocol(str(path))),
    ),
    "results' protocol": (
        {"name": "x", "cases": {"a": "0" * 64}},
        _file("protocol.json", lambda path: read_case_digests(path.parent, Protocol("x"))),
    ),
    "runs": ([_RUN], _file("runs.json", lambda path: read_runs(path.parent))),
    "sources": (
        {
            "sources": [
                {
                    "name": "a",
                    "image": "a.nii",
                    "label": None,
                    "licence": "CC0",
                    "attribution": "x",
                    "groups": [[1, 2]],
                    "most_labels": 3,
                }
            ]
        },
        _file("sources.json", read_sources),
    ),
    "checkpoint": (
        {
            "version": 1,
            "generation": 1,
            "files": [],
            "groups": {"model": {"w": 0}},
            "counters": {"step": 1},
        },
        _file("checkpoint.json", lambda path: checkpoint.load(path.parent)),
    ),
    "safetensors": (_HEADER, _safetensors),
    "adapter": (
        {
            "base": "sam",
            "base_sha256": "0",
            "network": "vit_b",
            "prepared": "sam",
            "size": "1024",
            "peft": {"r": 1},
        },
        _facts,
    ),
    "boxes": ([{"z_min": 1, "z_max": 2, "z_mid": 1}], _boxes),
    "objects": ({"1": "liver"}, _objects),
    "pack index": ([{"name": "a", "spacing_kji_mm": [1, 1, 1]}], _pack),
    "ensam": (json.loads(EnsamConfig().to_json()), _text(EnsamConfig.from_json)),
    "scene": (_STATE, _text(state_from_json)),
    "autosave": (
        {"format": "medsegfm-autosave", "volume": "v", "grid": {}, "state": _STATE, "segments": {}},
        _text(snapshot_from_json),
    ),
    "plans": (
        {
            "configurations": {"3d": {"patch_size": [8, 8, 8], "inherits_from": "4d"}, "4d": {}},
            "labels": {"a": 1},
        },
        _file("plans.json", _plans),
    ),
    "bundle": (
        {"pixdim": "$@a + @a", "a": ["@b", "@b"], "b": "$[1, 2] if @c else [3]", "c": True},
        _file("inference.json", _bundle),
    ),
    "catalogue": (
        {"x": {"file": "x", "format": "f", "sha256": None, "url": None, "licence": "", "bytes": 1}},
        _file("catalogue.json", _catalogue),
    ),
}
