"""`medsegfm measure`: volume, surface, diameters and intensities of segments."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..metrics import measures
from ..metrics.measurements import Measurement, measure_segments, outside_notes
from ..system.atomic_files import write_text
from ..system.csv_cells import escaped
from ..volumes.frames import Frames
from ..volumes.geometry import Geometry
from ..volumes.segmentations.files import has_segments
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume
from .arguments.outputs import check_outputs
from .arguments.reading import add_reading_arguments, read_volume
from .console import print_table

SUMMARY = "measure segments: ml, surface, longest diameters, intensities and SUV peak"
EXAMPLES = """\
examples:
  medsegfm measure seg.nii.gz ct.nii.gz --out measures.csv"""
# The columns that are printed, with their units and decimals; files have all digits.
_PRINTED = {
    "volume_ml": measures.VOLUME,
    "surface_mm2": measures.SURFACE,
    "axial_diameter_mm": measures.DIAMETER.named("axial diameter"),
    "diameter_mm": measures.DIAMETER,
    "mean": measures.VALUE.named("mean"),
    "sd": measures.VALUE.named("sd"),
    "suv_peak": measures.VALUE.named("SUV peak"),
}
_COLUMNS = tuple(item.name for item in fields(Measurement))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("segments", help="label map, .seg.nrrd, DICOM SEG or RTSTRUCT")
    parser.add_argument("image", nargs="?", help="the image whose values are measured")
    add_reading_arguments(parser)
    parser.add_argument(
        "--out",
        action="append",
        default=[],
        metavar="FILE.csv",
        help="write a table (.csv) or a list (.json); can be repeated",
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure, write and print the tables."""
    outputs = [Path(out) for out in arguments.out]
    source = Path(arguments.segments)
    check_outputs(outputs, source, [Path(arguments.image)] if arguments.image else [])
    for path in outputs:
        if path.suffix.lower() not in (".csv", ".json"):
            raise OutputError(f"{path} has an ending that is not written; use .csv or .json.")
    if arguments.suv and not arguments.image:
        raise OutputError("--suv measures a PET image, and none is given; name it after the SEG.")
    image = None
    if arguments.image:
        image = read_volume(arguments, arguments.image)
    segmentation = _segments(source, arguments.frame, None if image is None else image.geometry)
    rows = measure_segments(segmentation, image, arguments.suv)
    for path in outputs:
        write_text(path, _csv(rows) if path.suffix.lower() == ".csv" else _json(rows))
    for note in outside_notes(segmentation, image) if image else []:
        print(note, file=sys.stderr)
    shown = [name for name in _COLUMNS if any(getattr(row, name) is not None for row in rows)]
    headings = [_PRINTED[name].heading if name in _PRINTED else name for name in shown]
    print_table(headings, [[_cell(name, getattr(row, name)) for name in shown] for row in rows])


def _segments(source: Path, frame: int | None, grid: Geometry | None) -> Segmentation:
    """The segments of a file; of a label map with all frames of a volume, those of one."""
    if frame is None or has_segments(source) or len(Frames(source)) == 1:
        return Segmentation.read(source, grid)
    return Segmentation.from_labelmap(Volume.read(source, frame=frame))


def _csv(rows: list[Measurement]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        values = (getattr(row, name) for name in _COLUMNS)
        writer.writerow([escaped("" if value is None else value) for value in values])
    return text.getvalue()


def _json(rows: list[Measurement]) -> str:
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    return _PRINTED[name].text(value) if name in _PRINTED else str(value)
