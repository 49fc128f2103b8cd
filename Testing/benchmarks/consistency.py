"""What it costs to say where the planes disagree: map, scores, suggestion, transport and figure.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/consistency.py [--voxels 128]
The planes are those of three smooth surfaces that differ by some voxels, in a cube of so many
voxels a side, in which three marks were placed. Times are medians of 7 runs, the figure's of 3; the
processor's own beside them tells what other programs took. The model's runs are not counted. Prints
a table in Markdown.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from MedSegFMLib import Geometry, Point, Volume
from MedSegFMLib.consistency import measure
from MedSegFMLib.consistency.agreement import agreement, disagreement, slice_agreement
from MedSegFMLib.consistency.hot_spots import expected_error, hot_spots
from MedSegFMLib.consistency.intersection import intersection_of_object
from MedSegFMLib.consistency.measure import plane_axes
from MedSegFMLib.drawing.consistency_figure import draw_consistency
from MedSegFMLib.drawing.picture import write_picture
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Prediction, probabilities
from MedSegFMLib.worker.events import Answer, Predicted
from MedSegFMLib.worker.frames import read_frame, write_frame
from MedSegFMLib.worker.messages import event_frame, parse_event

NAMES = ("axial", "coronal", "sagittal")


def made_up(side: int) -> tuple[Volume, Prediction]:
    """A ball whose surface three planes see at places that differ smoothly."""
    grid = np.indices((side,) * 3, dtype=np.float32) - (side - 1) / 2
    distance = 0.35 * side - np.sqrt((grid**2).sum(axis=0))
    rng = np.random.default_rng(0)
    logits = []
    for _ in NAMES:
        bumps = gaussian_filter(rng.normal(size=distance.shape).astype(np.float32), side / 16)
        logits.append((distance + 0.04 * side * bumps / bumps.std()).astype(np.float32))
    geometry = Geometry.from_spacing(distance.shape)
    planes = {name: probabilities(array) for name, array in zip(NAMES, logits, strict=True)}
    noise = rng.normal(0, 10, distance.shape).astype(np.float32)
    return (
        Volume(noise + 100 * (distance > 0), geometry),
        Prediction(geometry, (0, 0, 0), np.mean(logits, axis=0, dtype=np.float32), planes),
    )


def milliseconds(work: Callable[[], object], repeats: int = 7) -> tuple[float, float]:
    """Medians of the time that passed and of the processor's."""
    times = []
    for _ in range(repeats):
        begun, used = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - begun, time.process_time() - used))
    passed, own = (1000 * statistics.median(column) for column in zip(*times, strict=True))
    return passed, own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voxels", type=int, default=128)
    side = parser.parse_args().voxels
    volume, prediction = made_up(side)
    geometry, planes = volume.geometry, prediction.planes
    third = side // 3
    prompts = [Point.from_ijk(geometry, (side // 2, side // 2, k)) for k in (third, 2 * third)]
    prompts.append(Point.from_ijk(geometry, (2, 2, 2), positive=False))
    mask = prediction.logits_kji > 0
    masks = {name: array > 0.5 for name, array in planes.items()}
    error, axes = expected_error(planes, mask), plane_axes(geometry)
    marked = to_voxels(prompts, geometry).voxels_kji
    found = measure(prediction, prompts)
    predicted = Predicted(1, {1: Answer((0, 0, 0), mask.view(np.uint8), found)})

    def scores() -> None:
        agreement(masks)
        for axis in axes.values():
            slice_agreement(masks, axis)
        intersection_of_object(planes, axes, mask)
        expected_error(planes, mask)

    def transport() -> int:
        stream = io.BytesIO()
        write_frame(stream, event_frame(predicted))
        size = stream.tell()
        stream.seek(0)
        frame = read_frame(stream)
        assert frame is not None
        parse_event(frame, 0)
        return size

    def figure(path: Path) -> None:
        write_picture(draw_consistency(volume, prediction, found, "ball"), path)

    with tempfile.TemporaryDirectory() as folder:
        drawing = milliseconds(lambda: figure(Path(folder, "f.png")), 3)
    rows = {
        "disagreement map": milliseconds(lambda: disagreement(planes)),
        "scores (object, slices, intersection, expected Dice)": milliseconds(scores),
        "hot spots and suggestion": milliseconds(
            lambda: hot_spots(error, mask, marked, prediction.region)
        ),
        "all of it (`measure`)": milliseconds(lambda: measure(prediction, prompts)),
        f"to the client and back as a frame, {transport() / 1e6:.1f} MB": milliseconds(transport),
        "figure, drawn and written": drawing,
    }
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{side}³ voxels, agreement {found.agreement:.3f}, {len(found.hot_spots)} hot spots;")
    print(f"{cores} cores, {platform.machine()}, Python {platform.python_version()}.\n")
    print("| step | ms | processor ms |\n| --- | ---: | ---: |")
    for name, (passed, own) in rows.items():
        print(f"| {name} | {passed:.0f} | {own:.0f} |")


if __name__ == "__main__":
    main()
