"""`medsegfm demo`: segment a generated phantom."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from ..drawing.panels import panels_of_objects
from ..drawing.picture import Scene, draw_panels, write_picture
from ..metrics import dice
from ..prompts.types import Box, Point
from ..registry import DEFAULT_MODEL, create
from ..session.session import Session
from ..simulate import box_around, next_click
from ..synthesis.phantom import Phantom, make_abdomen
from ..system.atomic_files import make_folder, write_text
from ..volumes.segmentations.segmentation import Segmentation
from .arguments.picture import outlines_of
from .console import print_table, progress_bar

SUMMARY = "segment two organs of a generated phantom: mask, preview image and Dice"
EXAMPLES = """\
examples:
  medsegfm demo --out demo"""
_ORGANS = ("liver", "kidney L")
_FILES = ("phantom.nii.gz", "segmentation.nii.gz", "preview.png")
# The true labels, and the list of cases that evaluate takes.
_REFERENCE, _CASES = "reference.nii.gz", "cases.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--out", default="medsegfm-demo", metavar="DIR", help="output folder (default: %(default)s)"
    )
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="see medsegfm models (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Generate the phantom, box two organs, click once on each, and write the results."""
    folder = Path(arguments.out)
    make_folder(folder, "choose another with --out")
    with progress_bar("demo") as progress:
        progress(0, "Generating the phantom")
        phantom = make_abdomen()
        geometry = phantom.image.geometry
        session = Session(create(arguments.model), phantom.image)
        references = {
            session.add_object(name): phantom.labels.array_kji == phantom.label(name)
            for name in _ORGANS
        }
        for label, reference in references.items():
            start, stop = box_around(reference, jitter=0.0, seed=0)
            session.add(Box.from_ijk(geometry, start[::-1], stop[::-1]), label)
        start_time = time.perf_counter()
        boxed = session.labelmap(progress).array_kji
        seconds_box = time.perf_counter() - start_time
        for label, reference in references.items():
            click = next_click(reference, boxed == label, seed=0)
            if click is not None and "point" in session.segmenter.card.prompts:
                position, positive = click
                session.add(Point.from_ijk(geometry, position[::-1], positive), label)
        start_time = time.perf_counter()
        labels = session.labelmap(progress)
        seconds_click = time.perf_counter() - start_time
    image_path, labels_path, preview_path = (folder / name for name in _FILES)
    phantom.image.write(image_path)
    labels.write(labels_path)
    _write_reference(phantom, folder)
    prompts = [prompt for _, prompt in session.prompts.entries]
    names = dict(session.prompts.objects)
    outlines = outlines_of(Segmentation.from_labelmap(labels, names))
    title = f"phantom, {arguments.model}: a box and a click for each organ"
    scene = Scene(phantom.image, outlines, prompts)
    write_picture(draw_panels(scene, panels_of_objects(scene), title), preview_path)
    rows = [
        [
            session.prompts.name(label),
            f"{dice(reference, boxed == label):.3f}",
            f"{dice(reference, labels.array_kji == label):.3f}",
        ]
        for label, reference in references.items()
    ]
    print_table(["organ", "Dice after the box", "Dice after a click"], rows)
    print(f"The boxes took {seconds_box:.1f} s, the clicks {seconds_click:.1f} s.")
    print(
        f"See {preview_path}; the volume, its segmentation, the true labels and a "
        f"{_CASES} for medsegfm evaluate are in the same folder."
    )


def _write_reference(phantom: Phantom, folder: Path) -> None:
    phantom.labels.write(folder / _REFERENCE)
    case = {
        "name": "phantom",
        "image": _FILES[0],
        "label": _REFERENCE,
        "modality": "CT",
        "objects": {str(phantom.label(name)): name for name in _ORGANS},
    }
    write_text(folder / _CASES, json.dumps({"cases": [case]}, indent=1))
