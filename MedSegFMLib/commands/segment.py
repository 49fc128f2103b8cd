"""`medsegfm segment`: a volume and prompts in, a labelmap out."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..errors import OutputError
from ..preview import COLOURS, Outline, check_picture_ending, draw_preview, write_preview
from ..prompt_json import write_prompts
from ..registry import DEFAULT_MODEL, create
from ..session import Session
from ..volume import Volume
from .console import print_table, progress_bar
from .outputs import check_outputs
from .prompt_arguments import add_prompt_arguments, prompts_of

SUMMARY = "segment one or more objects of a volume after boxes, clicks or words"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("volume", help="NIfTI, NRRD or MetaImage file, or a folder of DICOM slices")
    parser.add_argument("--out", required=True, metavar="SEG.nii.gz", help="the labelmap to write")
    parser.add_argument("--preview", metavar="P.png", help="a picture of three planes to write")
    parser.add_argument("--series", metavar="UID", help="the series, where a folder has several")
    add_model_arguments(parser)
    add_prompt_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a model, its device and its weights."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="see medsegfm models (default: %(default)s)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--weights", metavar="FILE", help="weights other than the installed ones")


def run(arguments: argparse.Namespace) -> None:
    """Segment, write, and print what was found."""
    from ..volume_io import check_ending

    outputs = [arguments.out, arguments.preview, arguments.prompts_out]
    inputs = [arguments.prompts, arguments.weights]
    check_outputs(
        [Path(o) for o in outputs if o], Path(arguments.volume), [Path(i) for i in inputs if i]
    )
    check_ending(Path(arguments.out))
    if arguments.preview:
        check_picture_ending(Path(arguments.preview))
    if arguments.prompts_out and not arguments.prompts_out.lower().endswith(".json"):
        raise OutputError(f"{arguments.prompts_out} is no prompt file's name; end it in .json.")
    volume = Volume.read(arguments.volume, arguments.series)
    prompts = prompts_of(arguments, volume.geometry)
    options = {"weights": arguments.weights} if arguments.weights else {}
    begun = time.perf_counter()
    with progress_bar(arguments.model) as progress:
        progress(0, "loading the model")
        session = Session(create(arguments.model, arguments.device, **options), volume)
        session.change(prompts)
        labels = session.labelmap(progress)
    seconds = time.perf_counter() - begun
    labels.write(arguments.out)
    if arguments.prompts_out:
        write_prompts(prompts, arguments.prompts_out)
    if arguments.preview:
        preview = draw_preview(
            volume,
            label_outlines(labels, session),
            [prompt for _, prompt in prompts.entries],
            f"{Path(arguments.volume).name}, {arguments.model}",
        )
        write_preview(preview, arguments.preview)
    rows = []
    for label, name in prompts.objects:
        voxels = int((labels.array_kji == label).sum())
        millilitres = voxels * volume.geometry.voxel_volume_mm3 / 1000
        rows.append([str(label), name, str(voxels), f"{millilitres:.2f}"])
    print_table(["label", "object", "voxels", "ml"], rows)
    print(f"{arguments.out} written; {arguments.model} took {seconds:.1f} s.")


def label_outlines(labels: Volume, session: Session) -> list[Outline]:
    """An outline for each object of a session, in colours that repeat after seven."""
    return [
        Outline(name, labels.array_kji == label, COLOURS[n % len(COLOURS)])
        for n, (label, name) in enumerate(session.prompts.objects)
    ]
