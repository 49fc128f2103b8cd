"""The protocols of MedSegFM, one JSON file each, and those of the user.

`cvpr25` follows the evaluation of the CVPR 2025 challenge "Foundation Models for Interactive 3D
Biomedical Image Segmentation", as in its public repository JunMa11/CVPR-MedSegFMCompetition:

- CVPR25_iter_eval.py: the npz's `boxes` first, then five rounds with one click for each class
  whose error is not empty, all classes in one call and one label map. A file without `boxes` has a
  first score of 0, no prediction, and begins with the clicks. A step without a result counts as an
  empty one. Dice and surface Dice at 2.0 are means over the labels of `gts`; the surface Dice is 0
  if the mean Dice is 0.2 or less. `spacing` is applied to the array's axes as stored. The areas
  are those under the last five scores. The output contains `segs` and `all_segs`.
- README.md: 90 s per class, "whole docker run"; beyond it Dice and surface Dice are 0. The script
  sums the seconds of all six steps, compares the sum with 90 times the number of classes, and only
  warns. Here such a case counts 0 at every step, and gets no further prompts.
- get_boxes.py: how the boxes are drawn since May 2025, on the middle of the slices that show the
  object; `simulate.challenge_box`. `cvpr25-middle-voxel` is the same protocol with the rule before,
  the slice of the object's middle voxel, by which results were measured with versions to 0.2.0.

`cvpr25-text` follows CVPR25_text_eval.py: the object's name and nothing else. Labels that are
instances of one class are asked for at once and scored by F1; the script scores nothing else of
them, here their Dice and surface Dice are those of all instances together.

Differences: the script starts a container for every step and includes that time in the sum; here
the model stays loaded. If a container ends without a result after an earlier step had one, the
script scores the earlier one again; here a case that fails counts 0. Among several components of
one size, the click uses the first of another labelling (`simulate.next_click`).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ...errors import CasesError
from ...system.json_files import load_json
from ...system.suggestions import with_suggestion
from ..protocol import Protocol

DEFAULT_PROTOCOL = "clicks"
_FOLDER = Path(__file__).parent
_FIELDS = [field.name for field in dataclasses.fields(Protocol)]


def shipped_protocols() -> list[str]:
    """The names of the protocols that come with MedSegFM."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def read_protocol(name: str) -> Protocol:
    """Read a protocol, by the name of one that comes with MedSegFM, or from a JSON file.

    A file contains fields of `Protocol`; other fields have their defaults, and the name is that of
    the file.

    Raises:
        CasesError: a name or field is unknown, a value is out of range, or the file cannot be read.
    """
    path = Path(name) if name.endswith(".json") else _FOLDER / f"{name}.json"
    if not name.endswith(".json") and name not in shipped_protocols():
        raise CasesError(
            f"There is no protocol {with_suggestion(name, shipped_protocols())}; name "
            f"{', '.join(shipped_protocols())}, or a file that ends in .json."
        )
    try:
        document: Any = load_json(path)
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CasesError(f"{path} is not valid JSON ({error}); see the user guide.") from error
    if not isinstance(document, dict):
        raise CasesError(
            f"{path} is not a JSON object with the fields of a protocol; see the user guide."
        )
    unknown = [field for field in document if field not in _FIELDS]
    if unknown:
        raise CasesError(
            f"{path} has the unknown field {with_suggestion(unknown[0], _FIELDS)}; the fields are "
            f"{', '.join(_FIELDS)}."
        )
    try:
        return Protocol(**{"name": path.stem, **document})
    except CasesError as error:
        raise CasesError(f"{path}: {error}") from error
