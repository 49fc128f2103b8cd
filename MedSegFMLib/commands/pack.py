"""`medsegfm pack`: pack real volumes into a single file for training."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from ..datasets.challenge_npz import (
    DEFAULT_SPACING_ORDER,
    SPACING_ORDERS,
    has_labels,
    is_challenge_file,
    read_any_image,
    read_labels,
)
from ..datasets.coreset import training_files
from ..errors import CasesError
from ..volumes.volume import Volume
from .arguments.outputs import check_outputs
from .console import progress_bar

if TYPE_CHECKING:
    from ..synthesis.recorded.pack import PackSource

SUMMARY = "pack volumes and label maps into a file for training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "sources",
        metavar="SOURCES.json",
        help="list of volumes with their licences (format: see Docs/training.md), or a folder of "
        "the challenge's npz files, with its subfolders",
    )
    parser.add_argument("--out", required=True, metavar="PACK.npz", help="the pack to write")
    parser.add_argument("--licence", metavar="TEXT", help="licence of a folder's files")
    parser.add_argument("--attribution", metavar="TEXT", help="attribution of a folder's files")
    parser.add_argument(
        "--coreset",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="fraction of a folder's files to pack, such as 0.1, equally many of each data set "
        "(default: all)",
    )
    parser.add_argument(
        "--exclude", type=Path, metavar="LIST.txt", help="names of a folder's files to leave out"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="number that the random choice of the coreset begins with (default: %(default)s)",
    )
    parser.add_argument(
        "--spacing-order",
        choices=SPACING_ORDERS,
        default=DEFAULT_SPACING_ORDER,
        help="axis order of the spacing in npz files (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the pack and print a summary of its contents."""
    from ..synthesis.recorded.pack import pack_volume, read_sources
    from ..synthesis.recorded.pack_format import pack_writer

    sources_path, out = Path(arguments.sources), Path(arguments.out)
    if sources_path.is_dir():
        sources = _folder_sources(sources_path, arguments)
    else:
        sources = read_sources(sources_path)
    files = [path for s in sources for path in (s.image, s.label) if path is not None]
    check_outputs([out], sources_path, files)
    read = functools.partial(_read, spacing_order=arguments.spacing_order)
    images = labelled = 0
    with progress_bar("pack") as progress, pack_writer(out) as writer:
        for number, source in enumerate(sources):
            progress(number / len(sources), f"Packing volume {number + 1} of {len(sources)}")
            packed = pack_volume(source, read)
            images += packed.image is not None
            labelled += packed.labels is not None
            writer.add(packed)
        progress(1.0, "Writing the pack")
    count = f"{len(sources)} volume{'' if len(sources) == 1 else 's'}"
    print(
        f"{out}: {count}, {images} with an image, {labelled} with labels, "
        f"{out.stat().st_size / 1e6:.1f} MB."
    )


def _folder_sources(folder: Path, arguments: argparse.Namespace) -> list[PackSource]:
    """A source for each npz file of a folder, with its labels if it has any."""
    from ..synthesis.recorded.pack import PackSource

    if not 0 < arguments.coreset <= 1:
        raise CasesError(f"--coreset is {arguments.coreset}; it must be above 0, at most 1.")
    files = training_files(folder, arguments.coreset, arguments.exclude, arguments.seed)
    if not arguments.licence or not arguments.attribution:
        raise CasesError(
            f"{folder} does not state the licence of its files; give --licence and --attribution."
        )
    return [
        PackSource(
            path.relative_to(folder).with_suffix("").as_posix(),
            path,
            path if has_labels(path) else None,
            arguments.licence,
            arguments.attribution,
        )
        for path in files
    ]


def _read(path: Path, is_label: bool, spacing_order: str) -> Volume:
    image = read_any_image(path, spacing_order)
    return read_labels(path, image.geometry) if is_label and is_challenge_file(path) else image
