"""Hostile plans of nnU-Net and its kin, bundles of MONAI, configurations of SAM 2, 3 and Qwen3.

Each is loaded and, if that succeeds, segments a small volume. An escape is anything but success or
a named error of one line; code that ran; a connection to anywhere; attention other than torch's;
more than some seconds or some hundred megabytes.
"""

from __future__ import annotations

import functools
import json
import random
import resource
import shutil
import signal
import socket
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from MedSegFMLib import Box, Geometry, Session, Text, create
from MedSegFMLib.errors import MedSegFMError
from Testing.attacks import (
    later_sam_attacks,
    medical_sam3_attacks,
    medsam2_attacks,
    nninteractive_attacks,
    nnunet_attacks,
    segresnet_attacks,
    voxtell_attacks,
)
from Testing.attacks.json_mutations import garbled, mutated

NAME = "foreign configurations"
# Tests share their cores, and the first use imports the packages.
_LONGEST_S = 60.0
_MOST_KILOBYTES = 1_500_000


@dataclass(frozen=True)
class Payload:
    """The model, what the attack is called, and the files that replace those of a good folder."""

    model: str
    name: str
    files: tuple[tuple[str, bytes], ...]


class _TooLong(KeyboardInterrupt):
    """Passes every boundary, as Ctrl-C does."""


def inputs(rng: random.Random) -> Iterator[Payload]:
    """The named attacks in some order, among changed good files, then these without end."""
    named = list(_named())
    rng.shuffle(named)
    while True:
        if named:
            yield named.pop()
        yield _changed(rng)


def escape(payload: Payload, folder: Path) -> str | None:
    """Load the folder, segment with it, and judge the outcome."""
    target = folder / "weights"
    shutil.copytree(_good(payload.model), target)
    for name, content in payload.files:
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_bytes(content)
        if name.endswith(".yaml"):
            (target / name).with_suffix(".json").unlink()
    Path("ran").unlink(missing_ok=True)
    begun, before = time.monotonic(), _peak_kilobytes()
    description = _outcome(payload.model, target)
    seconds, more = time.monotonic() - begun, _peak_kilobytes() - before
    if Path("ran").exists():
        description = "code ran"
    elif description is None and more > _MOST_KILOBYTES:
        description = f"{more / 1e6:.1f} GB"
    elif description is None and seconds > _LONGEST_S:
        description = f"{seconds:.0f} s"
    return None if description is None else f"{payload.model}, {payload.name}: {description}"


def _outcome(model: str, folder: Path) -> str | None:
    volume = _volume()
    connected = AssertionError("a connection was made")
    with (
        warnings.catch_warnings(),
        mock.patch.object(socket.socket, "connect", side_effect=connected),
    ):
        warnings.simplefilter("ignore")
        try:
            with _at_most(_LONGEST_S):
                options = _options(model, folder)
                name = _CREATED.get(model, model)
                session = Session(create(name, "cpu", weights=folder, **options), volume)
                classes = session.segmenter.classes
                box = Box.from_ijk(volume.geometry, (4, 3, 1), (20, 18, 11))
                by_text = "text" in session.segmenter.card.prompts
                session.add(Text(classes[0] if classes else "liver") if by_text else box)
                session.predict()
        except MedSegFMError as error:
            sentence = str(error)
            if "\n" in sentence or not sentence.endswith(".") or str(connected) in sentence:
                return f"the message {sentence!r}"
        except _TooLong:
            return f"more than {_LONGEST_S:.0f} s"
        except BaseException as error:  # noqa: BLE001 - any other is an escape
            return repr(error)[:500]
        else:
            network = getattr(getattr(session.segmenter, "_runtime", None), "_network", None)
            attention = getattr(getattr(network, "config", None), "_attn_implementation", "sdpa")
            if attention != "sdpa":
                return f"attention is {attention}"
    return None


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Ends what takes longer, unless it is in a call of C."""

    def end(number: int, frame: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@functools.cache
def _volume() -> Any:
    from sample_volumes import make_blob

    return make_blob(Geometry.from_spacing((12, 22, 24), (0.9, 0.8, 2.1)))[0]


@functools.cache
def _good(model: str) -> Path:
    """A good folder of weights, which lasts as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="foreign-", ignore_cleanup_errors=True)
    _kept.append(folder)
    path = Path(folder.name, "good")
    if model == "nnunet":
        from nnunet_folders import write_folder

        return write_folder(path)
    if model == "nninteractive":
        import nninteractive_folders

        return nninteractive_folders.write_folder(path, about_prompts={"point_radius": 4})
    if model == "voxtell":
        import voxtell_folders

        voxtell_folders.write_encoder(path / "encoder")
        return voxtell_folders.write_folder(path, bank=False)
    if model == "segresnet":
        from segresnet_bundles import write_bundle

        return write_bundle(path)
    if model == "medsam2":
        from medsam2_checkpoints import write_checkpoint as write_medsam2

        write_medsam2(path)
        return path
    if model in _CREATED:
        import later_sam_checkpoints as later

        network = later.random_sam2() if model == "sam2" else later.random_sam3()
        return later.write_folder(path, network)
    from medical_sam3_checkpoints import write_checkpoint

    path.mkdir()
    write_checkpoint(path)
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _options(model: str, folder: Path) -> dict[str, Any]:
    """The options with which a folder is loaded."""
    if model == "voxtell":
        return {"text_encoder": folder / "encoder"}
    # Random weights would always zoom, which takes long.
    return {"autozoom": "no"} if model == "nninteractive" else {}


# The model that takes weights which are not named as a model.
_CREATED = {"sam2": "sam", "sam3": "sam"}

# The files of each model that are attacked.
_FILES = {
    "nninteractive": ("plans.json", "inference_info.json", "dataset.json"),
    "nnunet": ("plans.json", "plans.json", "dataset.json"),
    "segresnet": ("configs/inference.json", "configs/inference.json", "configs/metadata.json"),
    "medical-sam3": ("config.json", "config.json", "vocab.json"),
    "medsam2": ("config.json",),
    "voxtell": ("plans.json", "plans.json", "encoder/config.json", "encoder/tokenizer.json"),
    "sam2": ("config.json",),
    "sam3": ("config.json",),
}


def _content(model: str, name: str) -> Any:
    return json.loads((_good(model) / name).read_text(encoding="utf-8"))


def _named() -> Iterator[Payload]:
    """Every named attack."""
    tables: tuple[tuple[str, str, dict[str, Callable[[Any], None]]], ...] = (
        ("nnunet", "plans.json", nnunet_attacks.PLANS),
        ("nnunet", "dataset.json", nnunet_attacks.DATASETS),
        ("nninteractive", "plans.json", nnunet_attacks.PLANS),
        ("nninteractive", "inference_info.json", nninteractive_attacks.PROMPTS),
        ("voxtell", "plans.json", nnunet_attacks.PLANS),
        ("voxtell", "encoder/config.json", voxtell_attacks.ENCODERS),
        ("voxtell", "encoder/tokenizer.json", voxtell_attacks.TOKENIZERS),
        ("segresnet", "configs/inference.json", segresnet_attacks.BUNDLES),
        ("medical-sam3", "config.json", medical_sam3_attacks.CONFIGS),
        ("medsam2", "config.json", medsam2_attacks.CONFIGS),
        ("sam2", "config.json", later_sam_attacks.SAM2),
        ("sam3", "config.json", later_sam_attacks.SAM3),
    )
    for model, file, attacks in tables:
        for name, change in attacks.items():
            content = _content(model, file)
            change(content)
            yield Payload(model, name, ((file, json.dumps(content).encode()),))
    for name, text in segresnet_attacks.YAML.items():
        good = yaml.safe_dump(_content("segresnet", "configs/inference.json"))
        yield Payload("segresnet", name, (("configs/inference.yaml", (good + text).encode()),))
    for name, files in medical_sam3_attacks.TOKENIZERS.items():
        yield Payload("medical-sam3", name, tuple(files.items()))


def _changed(rng: random.Random) -> Payload:
    model = rng.choice(list(_FILES))
    file = rng.choice(_FILES[model])
    text = mutated(rng, _content(model, file))
    data = garbled(rng, text) if rng.random() < 0.1 else text.encode("utf-8", "surrogatepass")
    return Payload(model, f"changed {file}", ((file, data),))
