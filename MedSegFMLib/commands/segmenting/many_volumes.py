"""`medsegfm segment` over many volumes: a folder, or a CSV file with a row for each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ...batch.listing import IMAGE_SEPARATOR, Entry, is_list, read_list, volumes_in
from ...batch.records import BatchModel, Job, ObjectRow
from ...batch.run import Finished, run_batch
from ...errors import CasesError, OutputError
from ...registry import card, resolve_name
from ...tasks.run import Workers
from ...volumes.io.zarr_files import is_zarr
from ...volumes.segmentations.dicom_source import SEG_DICOM
from ..console import print_table, progress_bar
from .batch_work import segment_job
from .model_arguments import model_options
from .one_volume import inputs_of

_DEFAULT_ENDING = ".nii.gz"
_MOST_PRINTED = 20
# Options of one volume: each would be a file for all of them.
_OF_ONE = ("preview", "consistency", "error_map", "consistency_figure", "prompts_out")
HEADER = ("case", "object", "model", "ml", "expected Dice", "at least", "worst slice", "notes")


def add_batch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for many volumes."""
    group = parser.add_argument_group(
        "many volumes",
        "VOLUME is a folder of volumes or a LIST.csv, and --out a folder. Each NAME.nii.gz has "
        "its prompts in NAME.json, beside it or in the folder --prompts; prompts given here are "
        "for all. The same command again goes on where it ended.",
    )
    group.add_argument(
        "--jobs", type=int, metavar="N", help="number of processes (default: one per core)"
    )
    group.add_argument(
        "--ray", metavar="ADDRESS", help="run on a Ray cluster; see medsegfm evaluate"
    )
    group.add_argument(
        "--ending",
        metavar=".seg.nrrd",
        help=f"format of the results (default: {_DEFAULT_ENDING})",
    )
    group.add_argument(
        "--quick",
        action="store_true",
        help="judge results by the model's own probabilities, without comparing its planes; takes "
        "about a third of the time of a 3D model",
    )


def is_batch(arguments: argparse.Namespace) -> bool:
    """Whether a command line is about many volumes."""
    volume, out = Path(arguments.volume), Path(arguments.out)
    if is_list(volume):
        return True
    if arguments.images or is_zarr(volume):
        return False
    return volume.is_dir() and (out.is_dir() or not _is_output(out))


def check_single(arguments: argparse.Namespace) -> None:
    """Check that options for many volumes are not given for one.

    Raises:
        OutputError: they are.
    """
    for name in ("jobs", "ray", "ending", "quick"):
        if getattr(arguments, name):
            raise OutputError(
                f"--{name} is for many volumes; give a folder of volumes or a LIST.csv, and "
                "a folder as --out."
            )


def run(arguments: argparse.Namespace) -> int:
    """Segment the volumes, print what is least sure, and return 1 if a case failed, else 0."""
    _check(arguments)
    volume, folder = Path(arguments.volume), Path(arguments.out).absolute()
    entries = read_list(volume) if is_list(volume) else _volumes(arguments, volume)
    models: dict[str, BatchModel] = {}
    jobs = [_job(entry, arguments, folder, models) for entry in entries]
    _check_outputs_differ(jobs)
    workers = Workers(arguments.jobs, arguments.device, arguments.ray)
    with progress_bar("segment") as progress:
        finished = run_batch(jobs, models, folder, segment_job, workers, progress)
    _print(finished, folder)
    return 1 if finished.failures else 0


def object_texts(row: ObjectRow) -> list[str]:
    """The cells of `HEADER` for an object."""
    return [
        row.case,
        row.title,
        row.model,
        f"{row.ml:.2f}",
        row.expected_text,
        row.bound_text,
        "–" if row.worst_slice < 0 else str(row.worst_slice),
        row.notes,
    ]


def _check(arguments: argparse.Namespace) -> None:
    for name in _OF_ONE:
        if getattr(arguments, name):
            raise OutputError(
                f"--{name.replace('_', '-')} is for one volume; leave it out for many, whose "
                "pictures are in the folder of the results."
            )
    if arguments.propagate:
        raise OutputError(
            "--propagate follows objects through one 4D volume; leave it out, or give that volume."
        )
    if arguments.jobs is not None and arguments.jobs < 1:
        raise CasesError(f"--jobs is {arguments.jobs}; give 1 or more.")
    ending = arguments.ending
    if ending is not None and not (ending.startswith(".") and _is_output(Path(f"x{ending}"))):
        raise OutputError(f"--ending is {ending}; give the ending of a format, such as .seg.nrrd.")
    if Path(arguments.out).is_file():
        raise OutputError(f"{arguments.out} is a file; many results need a folder as --out.")
    if Path(arguments.out).suffix and _is_output(Path(arguments.out)):
        raise OutputError(
            f"{arguments.out} is the name of one file; give a folder as --out, and the format with "
            "--ending."
        )


def _volumes(arguments: argparse.Namespace, folder: Path) -> list[Entry]:
    """The volumes of a folder; prompts of the command line are for all of them."""
    prompts = Path(arguments.prompts) if arguments.prompts else None
    of_each = prompts if prompts is not None and prompts.is_dir() else None
    alike = arguments.typed or (prompts is not None and of_each is None)
    known = card(arguments.model)
    paired = not alike and not (of_each is None and known.prompts == ("text",))
    return volumes_in(folder, Path(arguments.out), of_each, paired)


def _job(
    entry: Entry, given: argparse.Namespace, folder: Path, models: dict[str, BatchModel]
) -> Job:
    """The job of an entry: the command line with its cells in place of its options."""
    cells = dict(entry.cells)
    words = argparse.Namespace(**vars(given))
    words.volume = str(entry.volume)
    if words.prompts and Path(words.prompts).is_dir():
        words.prompts = None
    for column in ("prompts", "weights", "series"):
        setattr(words, column, cells.get(column, getattr(words, column)))
    words.images = cells["images"].split(IMAGE_SEPARATOR) if "images" in cells else []
    words.primary = cells.get("primary")
    words.frame = _frame(entry, cells["frame"]) if "frame" in cells else words.frame
    words.model = resolve_name(cells.get("model", words.model))
    words.option = cells["options"].split() if "options" in cells else words.option
    words.avoid = [*words.avoid, *([cells["avoid"]] if "avoid" in cells else [])]
    texts = [text.strip() for text in cells.get("text", "").split(";")]
    typed = [("--text", text) for text in texts if text]
    typed += [("--mask", cells["mask"])] if "mask" in cells else []
    words.typed = [*typed, *words.typed]
    words.out = str(_output(entry, folder, given.ending or _DEFAULT_ENDING))
    model = _model(words)
    models.setdefault(model.text, model)
    inputs = tuple(path for path in inputs_of(words) if str(path) != words.weights)
    return Job(entry.name, model.text, entry.volume, Path(words.out), words, inputs, entry.is_named)


def _model(words: argparse.Namespace) -> BatchModel:
    options = model_options(words)
    # The path of the weights may say more than others should read.
    public = card(words.model).public_options(options)
    shown = {k: Path(v).name if k == "weights" else v for k, v in public.items()}
    text = " ".join([words.model, *(f"{name}={value}" for name, value in shown.items())])
    return BatchModel(text, words.model, options)


def _output(entry: Entry, folder: Path, ending: str) -> Path:
    name = entry.cells.get("output", f"{entry.name}{ending}")
    path = folder / name
    if not _is_output(path):
        raise OutputError(
            f"The output of {entry.name}, {name}, has an ending that is not written; use one such "
            "as .nii.gz in the column output, or leave it empty."
        )
    return path


def _frame(entry: Entry, text: str) -> int:
    if not text.isdecimal() or not text.isascii():
        raise CasesError(f"The frame of {entry.name} is '{text}'; give a number from 1.")
    return int(text)


def _is_output(path: Path) -> bool:
    from ...volumes.io.image_files import WRITERS

    return path.name.lower().endswith((*WRITERS, SEG_DICOM))


def _check_outputs_differ(jobs: Sequence[Job]) -> None:
    seen: dict[str, str] = {}
    for job in jobs:
        other = seen.setdefault(str(job.output).casefold(), job.name)
        if other != job.name:
            raise OutputError(
                f"{other} and {job.name} have one output, {job.output.name}; give each its own in "
                "the column output."
            )


def _print(finished: Finished, folder: Path) -> None:
    shown = finished.rows[:_MOST_PRINTED]
    if shown:
        print_table(HEADER, [object_texts(row) for row in shown])
    more = len(finished.rows) - len(shown)
    if more:
        print(f"The {len(shown)} objects of which the model is least sure; {more} more are listed.")
    for name in finished.edited:
        print(f"{name} was changed after it was written and is left as it is.")
    before = f", {finished.skipped} done before" if finished.skipped else ""
    count = "1 case" if finished.done == 1 else f"{finished.done} cases"
    print(f"{count} segmented now{before}; see {folder / 'results.csv'}.")
    for failure in finished.failures:
        print(f"Not done: {failure.case}, {failure.model}: {failure.reason}", file=sys.stderr)
