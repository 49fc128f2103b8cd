"""The protocols that come with MedSegFM, one JSON file each, and those of the user.

`cvpr25` follows the evaluation of the CVPR 2025 challenge "Foundation Models for Interactive 3D
Biomedical Image Segmentation", as its public repository JunMa11/CVPR-MedSegFMCompetition has it:

- CVPR25_iter_eval.py: the npz's `boxes` first, then five rounds with one click for each class
  whose error is not empty, all classes in one call and one label map. A file without `boxes` has a
  first score of 0, no prediction, and begins with the clicks. A step without a result counts as an
  empty one. Dice and surface Dice at 2.0 are means over the labels of `gts`; the surface Dice is 0
  where the mean Dice is 0.2 or less. `spacing` goes to the array's axes as it stands. The areas
  are those under the last five scores. The output holds `segs` and `all_segs`.
- README.md: 90 s per class, "whole docker run"; beyond it Dice and surface Dice are 0. The script
  sums the seconds of all six steps, compares the sum with 90 times the number of classes, and only
  warns. Here such a case counts 0 at every step, and is not asked on.
- get_boxes.py: how the boxes were drawn; `simulate.challenge_box`.

What differs: the script starts a container for every step, and the time of that is in its sum; here
the model stays loaded. Where a container ends without a result after an earlier step had one, the
script scores the earlier one again; here a case that fails counts 0. Its click takes the first of
several components of one size by another labelling (`simulate.next_click`).
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from ...errors import CasesError
from ..protocol import Protocol

DEFAULT_PROTOCOL = "clicks"
_FOLDER = Path(__file__).parent
_FIELDS = [field.name for field in dataclasses.fields(Protocol)]


def shipped_protocols() -> list[str]:
    """The names of those that come with MedSegFM."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def read_protocol(name: str) -> Protocol:
    """A protocol by the name of one that comes with MedSegFM, or from a JSON file.

    A file holds fields of `Protocol`; those it leaves out have their defaults, and the name is that
    of the file. Raises CasesError for an unknown name or field, a value out of range, a file that
    cannot be read.
    """
    path = Path(name) if name.endswith(".json") else _FOLDER / f"{name}.json"
    if not name.endswith(".json") and name not in shipped_protocols():
        raise CasesError(
            f"There is no protocol '{name}'; name {', '.join(shipped_protocols())}, or a file "
            "that ends in .json."
        )
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CasesError(f"{path} is no JSON text ({error}); see the user guide.") from error
    if not isinstance(document, dict):
        raise CasesError(f"{path} is no JSON object with the fields of a protocol.")
    unknown = [field for field in document if field not in _FIELDS]
    if unknown:
        raise CasesError(
            f"{path} has the field '{unknown[0]}', which no protocol has; the fields are "
            f"{', '.join(_FIELDS)}."
        )
    try:
        return Protocol(**{"name": path.stem, **document})
    except CasesError as error:
        raise CasesError(f"{path}: {error}") from error
