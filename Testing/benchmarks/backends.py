"""The cost of each backend with random weights, and of our interface around it.

Run from the checkout: PYTHONPATH=.:Testing/support python Testing/benchmarks/backends.py
[--backends nninteractive,sam] [--size published] [--side 96]

Each backend runs in a process of its own: it is loaded, gets its first prompt on a volume (which
includes encoding it) and then some more; the median of these is the next prompt. Memory is the
peak growth of the process from before it is loaded. Our cost is the time of the next prompt that is
not spent within the upstream session, if the backend runs one.
A further backend is a further entry in BACKENDS.
"""

from __future__ import annotations

import argparse
import functools
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Backend:
    """A model as it is measured.

    Attributes:
        model: its name in the registry.
        write: writes random weights of a size, "tiny" or "published", into a folder, and returns
            the options that load them.
        upstream: the functions of the upstream session that we run, as (module, class, names); None
            for a network that we run ourselves.
        options: further options.
    """

    model: str
    write: Callable[[Path, str], dict[str, Any]]
    upstream: tuple[str, str, tuple[str, ...]] | None
    options: Mapping[str, Any] = field(default_factory=dict)


# Phrases that were embedded beforehand.
_WORDS = ("liver", "left kidney", "right kidney")


@dataclass(frozen=True)
class Cost:
    """The measurements: seconds, megabytes, parameters in the weights."""

    parameters: int
    load: float
    first: float
    next: float
    upstream: float
    growth_mb: float

    @property
    def ours(self) -> str:
        """Our part of the next prompt, relative to upstream's."""
        if not self.upstream:
            return "no session"
        return f"{100 * (self.next - self.upstream) / self.upstream:.1f} %"


def _nninteractive(folder: Path, size: str) -> dict[str, Any]:
    from nninteractive_folders import PATCH, PUBLISHED, PUBLISHED_PATCH, TINY, write_folder

    full = size == "published"
    patch, architecture = (PUBLISHED_PATCH, PUBLISHED) if full else (PATCH, TINY)
    made = write_folder(folder / "weights", patch=patch, architecture=architecture)
    return {"weights": made}


def _sam(folder: Path, size: str) -> dict[str, Any]:
    from sam_checkpoints import write_checkpoint

    from MedSegFMLib.models.sam.network.config import PUBLISHED

    # Only tests know a tiny one.
    return {"weights": write_checkpoint(folder / "sam.pth", PUBLISHED["vit_b"])}


def _medsam2(folder: Path, size: str) -> dict[str, Any]:
    from medsam2_checkpoints import tiny_settings, write_checkpoint

    from MedSegFMLib.models.medsam2.config_file import published

    settings = published(512) if size == "published" else tiny_settings(64)
    return {"weights": write_checkpoint(folder, upstream=True, settings=settings)}


def _sam_med3d(folder: Path, size: str) -> dict[str, Any]:
    from sam_med3d_checkpoints import FULL, write_checkpoint

    # Only tests know a tiny one.
    return {"weights": write_checkpoint(folder / "sam_med3d.pth", FULL)}


def _voxtell(folder: Path, size: str) -> dict[str, Any]:
    from voxtell_folders import PUBLISHED, TINY, write_folder

    made = write_folder(folder / "weights", size=PUBLISHED if size == "published" else TINY)
    return {"weights": made}


def _vista3d(folder: Path, size: str) -> dict[str, Any]:
    from vista3d_checkpoints import PATCH, PUBLISHED, TINY, write_checkpoint

    if size == "published":
        return {"weights": write_checkpoint(folder / "model.pt", PUBLISHED)}
    return {"weights": write_checkpoint(folder / "model.pt", TINY), "patch": PATCH}


def _segvol(folder: Path, size: str) -> dict[str, Any]:
    from segvol_checkpoints import FULL, write_checkpoint

    # Only tests know a tiny one.
    return {"weights": write_checkpoint(folder / "SegVol_v1.pth", FULL)}


def _nothing(folder: Path, size: str) -> dict[str, Any]:
    return {}


BACKENDS = {
    "nninteractive": Backend(
        "nninteractive",
        _nninteractive,
        (
            "nnInteractive.inference.inference_session",
            "nnInteractiveInferenceSession",
            (
                *("add_point_interaction", "add_bbox_interaction", "add_initial_seg_interaction"),
                *("reset_interactions", "set_image"),
            ),
        ),
        # With random weights it would always zoom as far as it can.
        {"autozoom": "no"},
    ),
    "sam": Backend("sam", _sam, None, {"planes": "axial"}),
    "medsam2": Backend(
        "medsam2",
        _medsam2,
        # Prompts on further slices are decoded by our own calls of its mask decoder.
        ("transformers", "Sam2VideoModel", ("forward", "get_image_features")),
    ),
    "sam-med3d": Backend(
        "sam-med3d",
        _sam_med3d,
        # The image is encoded at the first prompt.
        ("medim.models.sam_med3d", "MaskDecoder3D", ("forward",)),
    ),
    "voxtell": Backend(
        "voxtell",
        _voxtell,
        # Windows and their sums are our own loop around the network.
        ("voxtell.model.voxtell_model", "VoxTellModel", ("forward",)),
    ),
    "vista3d": Backend(
        "vista3d",
        _vista3d,
        ("MedSegFMLib.models.vista3d.network", "Vista3dNetwork", ("class_scores", "click_scores")),
    ),
    # With random weights it would look closer at windows all over the volume.
    "segvol": Backend("segvol", _segvol, None, {"zoom": "no"}),
    # Its weights are shipped.
    "ensam": Backend("ensam", _nothing, None),
    "randomwalk": Backend("randomwalk", _nothing, None),
}


# Where files keep the network.
_HOLDERS = ("network_weights", "model", "model_state_dict")


class Stopwatch:
    """The seconds within some functions; one that another of them calls counts once."""

    def __init__(self, module: str, owner: str, names: tuple[str, ...]) -> None:
        self.seconds = 0.0
        self._is_running = False
        cls = getattr(import_module(module), owner)
        for name in names:
            setattr(cls, name, self._timed(getattr(cls, name)))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*given: Any, **named: Any) -> Any:
            if self._is_running:
                return function(*given, **named)
            self._is_running, begun = True, time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                self.seconds += time.perf_counter() - begun
                self._is_running = False

        return timed


def measure(name: str, options: Mapping[str, Any], side: int, more: int) -> Cost:
    """Measure a backend in this process."""
    from MedSegFMLib import Box, Geometry, Point, Session, Text, Volume, create
    from MedSegFMLib.prompts.types import Prompt

    backend = BACKENDS[name]
    rng = np.random.default_rng(0)
    geometry = Geometry.from_spacing((side,) * 3, (1, 1, 1))
    volume = Volume(rng.normal(100, 20, geometry.shape_kji).astype(np.int16), geometry)
    watch = Stopwatch(*backend.upstream) if backend.upstream else None
    before = _peak_mb()
    begun = time.perf_counter()
    segmenter = create(backend.model, "cpu", **options, **backend.options)
    loaded = time.perf_counter()
    session = Session(segmenter, volume)
    label = session.add_object()
    quarter, half = side // 4, side // 2
    takes = segmenter.card.prompts
    box = Box.from_ijk(geometry, (quarter,) * 3, (side - quarter,) * 3)
    first: Prompt = Point.from_ijk(geometry, (half,) * 3) if "point" in takes else box
    session.add(Text(_WORDS[0]) if takes == ("text",) else first, label)
    started = time.perf_counter()
    found = session.predict(label)
    seconds, inside = [time.perf_counter() - started], [0.0]
    for number in range(more):
        corner = [half, half, half + (number + 1) % 8 * side // 16]
        # A click that the answer agrees with would cost some models nothing.
        on = bool(found.mask.array_kji[tuple(corner[::-1])])
        click = Point.from_ijk(geometry, corner, not on)
        session.add(Text(_WORDS[number % 2 + 1]) if takes == ("text",) else click, label)
        started = time.perf_counter()
        within = watch.seconds if watch else 0.0
        found = session.predict(label)
        seconds.append(time.perf_counter() - started)
        inside.append(watch.seconds - within if watch else 0.0)
    middle = sorted(range(1, more + 1), key=seconds.__getitem__)[more // 2]
    return Cost(
        _parameters(options),
        loaded - begun,
        seconds[0],
        seconds[middle],
        inside[middle],
        _peak_mb() - before,
    )


def _parameters(options: Mapping[str, Any]) -> int:
    """The number of values in the weights, each tensor once."""
    import torch

    if "weights" not in options:
        return 0
    path = Path(options["weights"])
    (file,) = path.rglob("*.pth") if path.is_dir() else [path]
    held = torch.load(file, weights_only=False)
    held = next((held[key] for key in _HOLDERS if key in held), held)
    # Tables of frequencies and positions are no parameters.
    tensors = [
        tensor
        for name, tensor in held.items()
        if not name.endswith(("gaussian_matrix", "position_ids"))
    ]
    return sum({t.data_ptr(): t.numel() for t in tensors}.values())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--size", choices=("tiny", "published"), default="tiny")
    parser.add_argument("--side", type=int, default=48)
    parser.add_argument("--more", type=int, default=3, help="further prompts")
    arguments = parser.parse_args()
    print("| backend | parameters | load, s | first prompt, s | next, s | peak, MB | our cost |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.backends.split(","):
        with tempfile.TemporaryDirectory() as folder:
            options = BACKENDS[name].write(Path(folder), arguments.size)
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                given = (name, options, arguments.side, arguments.more)
                cost = pool.submit(measure, *given).result()
        print(
            f"| {name} | {cost.parameters:,} | {cost.load:.1f} | {cost.first:.2f} | "
            f"{cost.next:.2f} | {cost.growth_mb:.0f} | {cost.ours} |"
        )


if __name__ == "__main__":
    main()
