"""`medsegfm segment --propagate`: the prompts of one frame give the masks of all frames."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from ...errors import OutputError, VolumeError
from ...progress import Progress
from ...registry import create
from ...results.ledger import Ledger, sidecar_of, stored_options, versions, weights_of
from ...results.propagated import DigestedFrames, digest_of_frames_result
from ...segmenter import Segmenter
from ...session.propagation import propagate
from ...system.atomic_files import write_text
from ...volumes.frames import Frames
from ...volumes.io.frames import check_frame
from ...volumes.segmentations.segmentation import Segmentation
from ..arguments.outputs import check_outputs
from ..console import print_table, progress_bar
from .model_arguments import check_model, model_options
from .one_volume import Prepared, inputs_of, output_of, prepare

# What is about one volume alone.
_OF_ONE = ("preview", "consistency", "error_map", "consistency_figure", "prompts_out")


def add_frame_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for 4D volumes."""
    parser.add_argument(
        "--propagate",
        action="store_true",
        help="segment all volumes of a 4D file or series: the prompts are for --frame (default: "
        "1), and each further frame starts from its neighbour's masks",
    )


def run(arguments: argparse.Namespace) -> None:
    """Segment all frames, write one 4D label map, and print a row for each object."""
    for name in _OF_ONE:
        if getattr(arguments, name):
            raise OutputError(
                f"--{name.replace('_', '-')} is for one frame; leave it out with --propagate."
            )
    if arguments.images:
        raise OutputError("--propagate follows one 4D volume; leave out --image.")
    check_model(arguments)
    outputs = output_of(arguments).files
    check_outputs(outputs, Path(arguments.volume), inputs_of(arguments))
    frames, prepared = prepare_frames(arguments)
    begun = time.perf_counter()
    with progress_bar(arguments.model) as progress:
        progress(0, "Loading the model")
        options = model_options(arguments)
        segmenter = create(arguments.model, arguments.device, **options)
        results = follow(prepared, frames, segmenter, progress)
    write_results(prepared, frames, results)
    seconds = time.perf_counter() - begun
    print_table(
        ["label", "object", "frames", "ml in frame " + str(arguments.frame), "least ml", "most ml"],
        [_texts(prepared, results, label, name) for label, name in prepared.prompts.objects],
    )
    print(f"Wrote {arguments.out}, {len(results)} frames; {arguments.model} took {seconds:.1f} s.")


def prepare_frames(arguments: argparse.Namespace) -> tuple[DigestedFrames, Prepared]:
    """The frames of a command line, and that of its prompts, checked before the model is loaded.

    Raises:
        OutputError: the result cannot hold frames.
        VolumeError: there is one frame only.
    """
    from ...volumes.io.four_d import check_ending_4d

    result = output_of(arguments)
    check_ending_4d(result.path)
    if arguments.fractional:
        raise OutputError("--fractional is for DICOM SEG; leave it out with --propagate.")
    frames = DigestedFrames(Frames(Path(arguments.volume), arguments.series, arguments.suv))
    if len(frames) < 2:
        raise VolumeError(
            f"{arguments.volume} contains one volume and no other frames; leave --propagate out."
        )
    number = check_frame(
        arguments.volume, len(frames), (), 1 if arguments.frame is None else arguments.frame
    )
    arguments.frame = number + 1
    return frames, prepare(arguments, result, frames[number])


def follow(
    prepared: Prepared, frames: DigestedFrames, segmenter: Segmenter, progress: Progress
) -> list[Segmentation]:
    """The segments of every frame."""
    # For the classes of a model that names none.
    prepared.begin(segmenter)
    start, treatment = prepared.arguments.frame - 1, prepared.result.treatment
    return propagate(segmenter, frames, start, prepared.prompts, progress, treatment)


def write_results(
    prepared: Prepared, frames: DigestedFrames, results: Sequence[Segmentation]
) -> None:
    """Write one label map with all frames, and the ledger beside it."""
    from ...volumes.io.four_d import write_frames

    arguments, geometry = prepared.arguments, prepared.volume.geometry
    options, path = model_options(arguments), prepared.result.path
    ledger = Ledger(
        arguments.model,
        stored_options(arguments.model, options),
        weights_of(arguments.model, options),
        geometry,
        frames.sha256,
        prepared.prompts,
        arguments.frame,
        arguments.suv,
        False,
        prepared.result.treatment,
        versions(),
        digest_of_frames_result(results, geometry),
        True,
    )
    labels = [result.labelmap() for result in results]
    largest = max(labels, key=lambda volume: volume.array_kji.dtype.itemsize).array_kji.dtype
    maps = [volume.with_array(volume.array_kji.astype(largest)) for volume in labels]
    write_frames(maps, path)
    write_text(sidecar_of(path), ledger.to_json() + "\n")


def _texts(prepared: Prepared, results: Sequence[Segmentation], label: int, name: str) -> list[str]:
    voxel_ml = prepared.volume.geometry.voxel_volume_mm3 / 1000
    ml = [
        sum(s.voxels for s in result.segments if s.label == label) * voxel_ml for result in results
    ]
    found = sum(value > 0 for value in ml)
    first = ml[prepared.arguments.frame - 1]
    least, most = min(ml), max(ml)
    return [
        str(label),
        name,
        f"{found} of {len(ml)}",
        f"{first:.2f}",
        f"{least:.2f} (frame {ml.index(least) + 1})",
        f"{most:.2f} (frame {ml.index(most) + 1})",
    ]
