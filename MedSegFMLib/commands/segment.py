"""`medsegfm segment`: segment a volume, or many, from prompts and write the results."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..drawing.panels import panels_of_objects, panels_of_places
from ..drawing.picture import Scene, check_picture_ending, draw_panels, write_picture
from ..errors import OutputError
from ..metrics.measures import VOLUME
from ..progress import part_of
from ..prompts.json_format import write_prompts
from ..prompts.prompt_list import PromptList
from ..prompts.references import prompt_text
from ..registry import create
from ..session.session import Session
from ..volumes.geometry import Geometry
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.windows import Window
from .arguments.images import add_image_arguments, check_one_image, settle_images
from .arguments.masks import resampling_notes
from .arguments.outputs import check_exists, check_outputs
from .arguments.picture import add_window_argument, chosen_window, outlines_of, title_of
from .arguments.prompts import add_prompt_arguments, typed_prompts
from .arguments.reading import VOLUME_HELP, add_reading_arguments
from .console import print_table, progress_bar
from .result_output import Output, add_result_arguments, check_numbers
from .segmenting import all_frames, many_volumes
from .segmenting.bound_output import BOUND_COLUMN, bound_notes, bound_text, lower_bounds
from .segmenting.consistency_output import (
    COLUMNS,
    MeasuredObject,
    column_texts,
    disagreement_map,
    doubts,
    error_map,
    measure_consistency,
    write_figure,
)
from .segmenting.model_arguments import (
    add_model_arguments,
    model_options,
    stored_features,
    with_window,
)
from .segmenting.one_volume import Prepared, inputs_of, output_of, prepare
from .segmenting.place_questions import (
    OPEN,
    Questions,
    add_place_arguments,
    asked_with,
    print_questions,
    questions_of,
    with_places,
)

SUMMARY = "segment one or more objects of a volume from boxes, clicks or text"
EXAMPLES = """\
examples:
  medsegfm segment ct.nii.gz --box 60 40 10 140 120 30 --out seg.nii.gz
  medsegfm segment ct.nii.gz --object liver --box 60,40,10,140,120,30 \\
      --point 100,80,20 --out seg.nii.gz --preview seg.png
  medsegfm segment ct.nii.gz --mask seg.nii.gz:1 --negative 65 45 12 \\
      --out better.nii.gz

Voxels are (i, j, k) = (column, row, slice), counted from 0. Boxes are
half-open: the last three numbers are one beyond the last voxel of the box.
medsegfm show ct.nii.gz --preview look.png draws these numbers at the image."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_image_arguments(parser, f"{VOLUME_HELP}; or a folder of volumes or a LIST.csv")
    parser.add_argument(
        "--out",
        required=True,
        metavar="SEG.nii.gz",
        help="label map, .seg.nrrd or, of a DICOM series, .dcm to write; for many volumes a folder",
    )
    parser.add_argument(
        "--preview", metavar="P.png", help="write an image of three planes with outlines"
    )
    parser.add_argument(
        "--consistency",
        metavar="MAP.nii.gz",
        help="write a map of the disagreement between the model's three planes, 0 to 1, and print "
        "their agreement and the next click; a 3D model takes about three times as long",
    )
    parser.add_argument(
        "--error-map",
        metavar="MAP.nii.gz",
        help="likewise, write the probability that the result is wrong in each voxel, 0 to 1",
    )
    parser.add_argument(
        "--consistency-figure",
        metavar="F.png",
        help="write a figure of the disagreement for the object with the lowest expected Dice",
    )
    add_window_argument(parser)
    add_reading_arguments(parser)
    all_frames.add_frame_arguments(parser)
    add_model_arguments(parser)
    add_prompt_arguments(parser)
    add_place_arguments(parser)
    add_result_arguments(parser)
    many_volumes.add_batch_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Segment, write the outputs, print the result, and return the exit status."""
    settle_images(arguments)
    if many_volumes.is_batch(arguments):
        return many_volumes.run(arguments)
    many_volumes.check_single(arguments)
    check_one_image(arguments)
    if arguments.propagate:
        all_frames.run(arguments)
        return 0
    from ..volumes.io.image_files import check_storable

    result = output_of(arguments)
    _check_files(arguments, result)
    window = chosen_window(arguments)
    with progress_bar(arguments.model) as progress:
        progress(0, "Reading the volume")
        prepared = prepare(arguments, result, asks=True)
    for path in _maps(arguments):
        check_storable(path, prepared.volume.geometry)
    options = with_window(model_options(arguments), arguments)
    done = _segmented(prepared, options)
    flattened = result.flattened(done.session)
    result.write(
        done.segmentation,
        done.session.volume,
        done.session.segmenter.card.name,
        prepared.prompts,
        arguments,
        options,
        prepared.by_class,
        asked_with=asked_with(arguments),
    )
    _write_others(prepared, done, window)
    # Files are written before anything is printed: the reader of the output may be gone.
    for line in flattened:
        print(line)
    _print_result(prepared, done, options)
    print(f"Wrote {arguments.out}; {arguments.model} took {done.seconds:.1f} s.")
    if prepared.unprompted:
        print(prepared.unprompted, file=sys.stderr)
    return OPEN if done.questions else 0


@dataclass(frozen=True, eq=False)
class _Done:
    """The answer of the model.

    Attributes:
        session: the session, which has the predictions.
        segmentation: the objects after their treatment.
        changes: a sentence on what each prompt of the command line changed.
        measured: the consistency of each object; empty if it was not asked for.
        questions: where objects are that were not segmented for that.
        seconds: the time of all of it.
    """

    session: Session
    segmentation: Segmentation
    changes: Sequence[str]
    measured: Mapping[int, MeasuredObject]
    questions: Questions
    seconds: float


def _check_files(arguments: argparse.Namespace, result: Output) -> None:
    """Check every file that is written, before anything is read."""
    from ..volumes.io.image_files import check_ending

    check_exists(Path(arguments.volume))
    maps = _maps(arguments)
    pictures = [Path(o) for o in (arguments.preview, arguments.consistency_figure) if o]
    others = [Path(arguments.prompts_out)] if arguments.prompts_out else []
    outputs = [*result.files, *maps, *pictures, *others]
    check_outputs(outputs, Path(arguments.volume), inputs_of(arguments))
    result.check()
    for path in maps:
        check_ending(path)
        check_numbers(path)
    for path in pictures:
        check_picture_ending(path)
    if arguments.prompts_out and not arguments.prompts_out.lower().endswith(".json"):
        raise OutputError(f"{arguments.prompts_out} has an unsupported ending; use .json.")


def _maps(arguments: argparse.Namespace) -> list[Path]:
    """The maps of numbers to write."""
    return [Path(name) for name in (arguments.consistency, arguments.error_map) if name]


def _segmented(prepared: Prepared, options: Mapping[str, Any]) -> _Done:
    arguments = prepared.arguments
    comparing = bool(_maps(arguments) or arguments.consistency_figure)
    start_time = time.perf_counter()
    with progress_bar(arguments.model) as progress, stored_features(arguments):
        progress(0, "Loading the model")
        session = prepared.begin(create(arguments.model, arguments.device, **options))
        share = part_of(progress, 0, 1 / 3) if comparing else progress
        silent = prepared.by_class or arguments.no_changes
        typed = range(0) if silent else typed_prompts(arguments, prepared.prompts)
        # What they changed ends with the result itself, which is cached then.
        changes = session.changes(typed.start, typed.stop, part_of(share, 0, 0.9)) if typed else []
        if arguments.place:
            before = len(session.prompts.entries)
            asked = questions_of(session.predict_all(share))
            prepared.prompts = with_places(session.prompts, arguments.place, asked)
            session.change(prepared.prompts)
            changes += session.changes(before) if typed else []
        segmentation = prepared.result.segments(session, part_of(share, 0.9 if typed else 0, 1))
        measured = measure_consistency(session, part_of(progress, 1 / 3, 1)) if comparing else {}
        questions = questions_of(session.predict_all())
    sentences = [change.sentence for change in changes]
    seconds = time.perf_counter() - start_time
    return _Done(session, segmentation, sentences, measured, questions, seconds)


def _write_others(prepared: Prepared, done: _Done, window: Window | None) -> None:
    """Write what was asked for beside the result."""
    arguments, volume, prompts = prepared.arguments, prepared.volume, prepared.prompts
    if arguments.prompts_out:
        write_prompts(prompts, arguments.prompts_out)
    title = f"{title_of(Path(arguments.volume), volume)}, {arguments.model}"
    if arguments.preview:
        shown = [prompt for _, prompt in prompts.entries]
        places = [place for question in done.questions.values() for place in question.places]
        scene = Scene(volume, outlines_of(done.segmentation), shown, window, places)
        rows = panels_of_places(scene) if places else panels_of_objects(scene)
        write_picture(draw_panels(scene, rows, title), arguments.preview)
    if arguments.consistency:
        disagreement_map(done.measured, volume).write(arguments.consistency)
    if arguments.error_map:
        error_map(done.measured, volume).write(arguments.error_map)
    if arguments.consistency_figure:
        write_figure(done.measured, volume, title, arguments.consistency_figure, window)


def _print_result(prepared: Prepared, done: _Done, options: Mapping[str, Any]) -> None:
    """Print a row for each object, and what a user should know."""
    volume, prompts, measured = prepared.volume, prepared.prompts, done.measured
    treatment = prepared.result.treatment
    bounds = lower_bounds(done.session, prepared.arguments.model, options, treatment)
    columns = [*(COLUMNS if measured else []), *([BOUND_COLUMN] if bounds else [])]
    rows, emptied = [], []
    found = {segment.label: segment.voxels for segment in done.segmentation.segments}
    for label, name in prompts.objects:
        voxels = found.get(label, 0)
        if not voxels and not treatment.is_none:
            emptied.append(name)
        millilitres = voxels * volume.geometry.voxel_volume_mm3 / 1000
        row = [str(label), name, str(voxels), VOLUME.text(millilitres)]
        row += column_texts(measured.get(label)) if measured else []
        rows.append([*row, *([bound_text(bounds.get(label))] if bounds else [])])
    print_table(["label", "object", "voxels", VOLUME.heading, *columns], rows)
    for name in emptied:
        print(f"Nothing of '{name}' is left after what was done after the model.")
    if prepared.arguments.prompts:
        print_prompts(prompts, volume.geometry)
    print_questions(
        done.questions,
        prompts,
        volume.geometry,
        "Add --place N, or --point at one, to decide, or --negative at one that is not it.",
    )
    for line in done.changes:
        print(line)
    for line in bound_notes(bounds, prompts):
        print(line)
    if "point" in done.session.segmenter.card.prompts:
        for line in doubts(measured):
            print(line)
    for line in (*resampling_notes(prepared.masks, volume.geometry), done.session.unused_images):
        if line:
            print(line)


def print_prompts(prompts: PromptList, geometry: Geometry) -> None:
    """Print the prompts with their numbers, which the options that change them take."""
    rows = [
        [str(number), prompts.name(label), prompt_text(prompt, geometry)]
        for number, (label, prompt) in enumerate(prompts.entries, 1)
    ]
    print_table(["prompt", "object", "as typed (i, j, k)"], rows)
