"""`medsegfm pack`: pack real volumes into a single file for training."""

from __future__ import annotations

import argparse
from pathlib import Path

from .check_outputs import check_outputs
from .console import progress_bar

SUMMARY = "pack volumes and label maps into a file for training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "sources",
        metavar="SOURCES.json",
        help="list of volumes with their licences (format: see Docs/training.md)",
    )
    parser.add_argument("--out", required=True, metavar="PACK.npz", help="the pack to write")


def run(arguments: argparse.Namespace) -> None:
    """Write the pack and print a summary of its contents."""
    from ..synthesis.recorded.pack import pack_volume, read_sources
    from ..synthesis.recorded.pack_format import save_pack

    sources_path, out = Path(arguments.sources), Path(arguments.out)
    sources = read_sources(sources_path)
    files = [path for s in sources for path in (s.image, s.label) if path is not None]
    check_outputs([out], sources_path, files)
    packed_volumes = []
    with progress_bar("pack") as progress:
        for number, source in enumerate(sources):
            progress(number / len(sources), f"Packing volume {number + 1} of {len(sources)}")
            packed_volumes.append(pack_volume(source))
        progress(1.0, "Writing the pack")
        save_pack(packed_volumes, out)
    images = sum(r.image is not None for r in packed_volumes)
    labelled = sum(r.labels is not None for r in packed_volumes)
    count = f"{len(packed_volumes)} volume{'' if len(packed_volumes) == 1 else 's'}"
    print(
        f"{out}: {count}, {images} with an image, {labelled} with labels, "
        f"{out.stat().st_size / 1e6:.1f} MB."
    )
