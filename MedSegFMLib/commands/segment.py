"""`medsegfm segment`: segment a volume from prompts and write a label map."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..drawing.preview import (
    COLOURS,
    Outline,
    check_picture_ending,
    draw_preview,
    write_preview,
)
from ..errors import ModelError, OutputError
from ..progress import part_of
from ..prompts.json_format import write_prompts
from ..prompts.mask import Mask
from ..prompts.prompt_list import PromptList
from ..prompts.references import prompt_text
from ..prompts.voxels import to_voxels
from ..registry import DEFAULT_MODEL, card, create
from ..volumes.geometry import Geometry
from ..volumes.volume import Volume
from .check_outputs import check_outputs
from .console import print_table, progress_bar
from .mask_arguments import mask_files, resampling_notes
from .prompt_arguments import (
    add_prompt_arguments,
    are_given,
    class_prompts,
    parse_prompts,
    typed_prompts,
)
from .reading_arguments import VOLUME_HELP, add_reading_arguments, read_volume
from .result_output import Output, add_result_arguments, check_numbers, treatment_of

if TYPE_CHECKING:
    from ..session.session import Session

# As options they would bypass the checks of these arguments.
_OWN_ARGUMENTS = ("device", "weights")

SUMMARY = "segment one or more objects of a volume from boxes, clicks or text"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volume", help=VOLUME_HELP)
    parser.add_argument(
        "--out",
        required=True,
        metavar="SEG.nii.gz",
        help="label map, .seg.nrrd or, of a DICOM series, .dcm to write",
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
        "--consistency-figure",
        metavar="F.png",
        help="write a figure of the disagreement for the object with the lowest expected Dice",
    )
    add_reading_arguments(parser)
    add_model_arguments(parser)
    add_prompt_arguments(parser)
    add_result_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the model, its device and its weights."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="see medsegfm models (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="file or folder of weights to use instead of the installed ones",
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="option of the model, such as size=1024 or planes=axial,coronal of sam; can be "
        "repeated",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="neither use nor store encoded regions on disk (default: up to 2 GB of them)",
    )


@contextmanager
def stored_features(arguments: argparse.Namespace) -> Iterator[None]:
    """Within the block, and in processes started there, use the features stored on disk."""
    from ..system import feature_store
    from ..weights import store

    if arguments.no_cache:
        feature_store.switch_off()
    feature_store.use(store.feature_store())
    try:
        yield
    finally:
        feature_store.use(None)


def model_options(arguments: argparse.Namespace) -> dict[str, str]:
    """The options of `create` besides model and device.

    Raises:
        ModelError: an option has no value, or has a separate argument.
    """
    options = {"weights": arguments.weights} if arguments.weights else {}
    for text in arguments.option:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ModelError(f"--option {text} is not NAME=VALUE; write it like size=1024.")
        if name in _OWN_ARGUMENTS:
            raise ModelError(f"--option {text} has a separate argument; use --{name} {value}.")
        options[name] = value
    return options


def run(arguments: argparse.Namespace) -> None:
    """Segment, write the outputs, and print the result."""
    from ..session.session import Session
    from ..volumes.io.image_files import check_ending, check_storable
    from ..volumes.right_angles import brought_back, on_regular_grid
    from .consistency_output import (
        COLUMNS,
        column_texts,
        disagreement_map,
        measure_consistency,
        next_clicks,
        write_figure,
    )

    result = Output(Path(arguments.out), arguments.fractional, treatment_of(arguments))
    maps = [Path(arguments.consistency)] if arguments.consistency else []
    volumes = [*result.label_maps, *maps]
    pictures = [Path(o) for o in (arguments.preview, arguments.consistency_figure) if o]
    others = [Path(arguments.prompts_out)] if arguments.prompts_out else []
    inputs = [Path(i) for i in (arguments.prompts, arguments.weights) if i]
    masks = [text for option, text in arguments.typed if option == "--mask"]
    inputs += mask_files([*masks, *arguments.avoid])
    check_outputs([*result.files, *maps, *pictures, *others], Path(arguments.volume), inputs)
    result.check()
    for path in maps:
        check_ending(path)
        check_numbers(path)
    for path in pictures:
        check_picture_ending(path)
    if arguments.prompts_out and not arguments.prompts_out.lower().endswith(".json"):
        raise OutputError(f"{arguments.prompts_out} has an unsupported ending; use .json.")
    with progress_bar(arguments.model) as progress:
        progress(0, "Reading the volume")
        volume = read_volume(arguments)
    for path in volumes:
        check_storable(path, volume.geometry)
    result.check_source(arguments)
    # Models work on axes at right angles; what is written is on the volume's own.
    worked = on_regular_grid(volume)
    # A model with classes supports text only and needs no prompts; its classes are known after it
    # has been loaded.
    taken = card(arguments.model).prompts
    by_class = not are_given(arguments) and taken == ("text",)
    prompts = PromptList() if by_class else parse_prompts(arguments, volume.geometry, taken)
    given_masks = [prompt for _, prompt in prompts.entries if isinstance(prompt, Mask)]
    # Errors are raised before a large network is loaded.
    for _, prompt in prompts.entries:
        card(arguments.model).check_takes([prompt])
        to_voxels([prompt], worked.geometry)
    options = model_options(arguments)
    comparing = bool(arguments.consistency or arguments.consistency_figure)
    start_time = time.perf_counter()
    with progress_bar(arguments.model) as progress, stored_features(arguments):
        progress(0, "Loading the model")
        session = Session(create(arguments.model, arguments.device, **options), worked)
        if by_class:
            classes = session.segmenter.classes
            prompts = (
                class_prompts(classes, arguments, volume.geometry)
                if classes
                else parse_prompts(arguments, volume.geometry, taken)
            )
        session.change(prompts)
        share = part_of(progress, 0, 1 / 3) if comparing else progress
        typed = range(0) if by_class or arguments.no_changes else typed_prompts(arguments, prompts)
        # What they changed ends with the result itself, which is cached then.
        changes = session.changes(typed.start, typed.stop, part_of(share, 0, 0.9)) if typed else []
        worked_result = result.segments(session, part_of(share, 0.9 if typed else 0, 1))
        measured = measure_consistency(session, part_of(progress, 1 / 3, 1)) if comparing else {}
    seconds = time.perf_counter() - start_time
    segmentation = result.on(worked_result, volume.geometry)
    for line in result.flattened(session):
        print(line)
    name = session.segmenter.card.name
    result.write(segmentation, volume, name, prompts, arguments, options, by_class)
    if arguments.prompts_out:
        write_prompts(prompts, arguments.prompts_out)
    title = f"{Path(arguments.volume).name}, {arguments.model}"
    if arguments.preview:
        shown = [prompt for _, prompt in prompts.entries]
        preview = draw_preview(
            worked, label_outlines(worked_result.labelmap(), session), shown, title
        )
        write_preview(preview, arguments.preview)
    if arguments.consistency:
        disagreement = disagreement_map(measured, worked)
        brought_back(disagreement, volume.geometry).write(arguments.consistency)
    if arguments.consistency_figure:
        write_figure(measured, worked, title, arguments.consistency_figure)
    rows = []
    found = {segment.label: segment.voxels for segment in segmentation.segments}
    for label, name in prompts.objects:
        voxels = found.get(label, 0)
        millilitres = voxels * volume.geometry.voxel_volume_mm3 / 1000
        row = [str(label), name, str(voxels), f"{millilitres:.2f}"]
        rows.append([*row, *(column_texts(measured.get(label)) if comparing else [])])
    print_table(["label", "object", "voxels", "ml", *(COLUMNS if comparing else [])], rows)
    if arguments.prompts:
        print_prompts(prompts, worked.geometry)
    for change in changes:
        print(change.sentence)
    if "point" in session.segmenter.card.prompts:
        for line in next_clicks(measured):
            print(line)
    for line in resampling_notes(given_masks, volume.geometry):
        print(line)
    print(f"Wrote {arguments.out}; {arguments.model} took {seconds:.1f} s.")


def print_prompts(prompts: PromptList, geometry: Geometry) -> None:
    """Print the prompts with their numbers, which the options that change them take."""
    rows = [
        [str(number), prompts.name(label), prompt_text(prompt, geometry)]
        for number, (label, prompt) in enumerate(prompts.entries, 1)
    ]
    print_table(["prompt", "object", "as typed (i, j, k)"], rows)


def label_outlines(labels: Volume, session: Session) -> list[Outline]:
    """An outline for each object of a session, in colours that repeat after seven."""
    return [
        Outline(name, labels.array_kji == label, COLOURS[n % len(COLOURS)])
        for n, (label, name) in enumerate(session.prompts.objects)
    ]
