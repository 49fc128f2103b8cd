"""The ledger of a result: what it takes to make it again, without anything of the patient's.

{"format": "medsegfm-ledger", "version": 1,
 "model": {"name", "options"}, "weights": {NAME: SHA-256},
 "versions": {…},
 "volume": {"shape_kji", "ijk_to_ras", "sha256"}, "images": {"sha256": {NAME: …}, "primary"},
  "reading": {"frame", "suv", "propagated"}, "overlapping": true, "asked_with": null,
  "treatment": {…}, "prompts": {…}, "result": "SHA-256"}

It names no file, series, date or person: a volume is known by the SHA-256 of its voxels. Options
that name files are left out; weights are known by their SHA-256. The names of objects are the
user's own words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import MedSegFMError, VolumeError
from ..prompts.json_format import (
    geometry_from_json,
    geometry_to_json,
    prompts_from_json,
    prompts_to_document,
)
from ..prompts.prompt_list import PromptList
from ..registry import card
from ..system.json_files import parse_json
from ..volumes.geometry import Geometry
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.segmentations.treatment import Treatment
from ..volumes.volume import Volume
from ..weights.checksums import own_sha256
from ..weights.store import installed

FORMAT, VERSION = "medsegfm-ledger", 1
_MOST_BYTES = 256_000_000
# Types of whole numbers, the first that holds all values counts.
_WHOLE = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
# What an answer may depend on.
_PACKAGES = ("numpy", "scipy", "openvino", "onnxruntime", "torch")


@dataclass(frozen=True)
class Ledger:
    """How a result was made.

    Attributes:
        model: the name of the model.
        options: its options, without files.
        weights: the SHA-256 of its weights by name; empty if it has none.
        geometry: the grid of the volume.
        volume_sha256: of the voxels, see `digest_of`.
        prompts: the objects and prompts.
        frame, suv: how the volume was read.
        overlapping: whether objects may overlap.
        treatment: what was done after the model.
        versions: of this library and of what it ran on.
        result_sha256: of the segments as they were written.
        propagated: whether they were followed through all frames of the volume from `frame`; its
            digest and that of the result are then those of `propagated`.
        asked_with: of a model of words that asks where an object is if looks at it disagree, the
            other models that looked; None if it does not ask.
        images: of several images that the model took at once, the `digest_of` each by its name, on
            the grid of the volume; empty for one.
        primary: the name of the one that `volume_sha256` is of.
    """

    model: str
    options: Mapping[str, str]
    weights: Mapping[str, str]
    geometry: Geometry
    volume_sha256: str
    prompts: PromptList
    frame: int | None = None
    suv: bool = False
    overlapping: bool = False
    treatment: Treatment = field(default_factory=Treatment)
    versions: Mapping[str, str] = field(default_factory=dict)
    result_sha256: str = ""
    propagated: bool = False
    asked_with: tuple[str, ...] | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    primary: str = ""

    def to_json(self) -> str:
        """The ledger as ASCII JSON in one line."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "model": {"name": self.model, "options": dict(self.options)},
            "weights": dict(self.weights),
            "versions": dict(self.versions),
            "volume": {**geometry_to_json(self.geometry), "sha256": self.volume_sha256},
            "images": {"sha256": dict(self.images), "primary": self.primary},
            "reading": {
                "frame": self.frame,
                "suv": self.suv,
                "propagated": self.propagated,
            },
            "overlapping": self.overlapping,
            "asked_with": None if self.asked_with is None else list(self.asked_with),
            "treatment": asdict(self.treatment),
            "prompts": prompts_to_document(self.prompts),
            "result": self.result_sha256,
        }
        return json.dumps(document)


def parse_ledger(text: str, name: str) -> Ledger:
    """Parse the output of `to_json`.

    Args:
        text: the JSON.
        name: the file, for messages.

    Raises:
        VolumeError: it is no ledger, or damaged.
    """
    try:
        item: Any = parse_json(text, most_bytes=_MOST_BYTES)
        if item["format"] != FORMAT or item["version"] != VERSION:
            raise ValueError("another format or version")
        return Ledger(
            _text(item["model"]["name"]),
            _texts(item["model"]["options"]),
            _texts(item["weights"]),
            geometry_from_json(item["volume"]),
            _text(item["volume"]["sha256"]),
            prompts_from_json(json.dumps(item["prompts"])),
            None if item["reading"]["frame"] is None else int(item["reading"]["frame"]),
            bool(item["reading"]["suv"]),
            bool(item["overlapping"]),
            Treatment(**item["treatment"]),
            _texts(item["versions"]),
            _text(item["result"]),
            # Version 0.2.0 has none of these.
            bool(item["reading"].get("propagated", False)),
            _asked_with(item.get("asked_with")),
            _texts(item.get("images", {}).get("sha256", {})),
            _text(item.get("images", {}).get("primary", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, MedSegFMError) as error:
        raise VolumeError(
            f"The ledger of {name} is damaged or of another version ({str(error)[:80]}); use a "
            "result that medsegfm segment wrote."
        ) from error


def _asked_with(item: Any) -> tuple[str, ...] | None:
    return None if item is None else tuple(_text(each) for each in item)


def digest_of(volume: Volume) -> str:
    """The SHA-256 of a volume's values with their shape.

    The width of whole numbers does not count, and other numbers count in single precision: programs
    that read one file, such as Slicer and this library, choose different types.
    """
    array = volume.array_kji
    if array.dtype.kind == "f":
        kind = "f4"
    else:
        low, high = int(array.min()), int(array.max())
        kind = next(k for k in _WHOLE if np.iinfo(k).min <= low and high <= np.iinfo(k).max)
    digest = hashlib.sha256(f"{kind} {array.shape}".encode())
    # Slice by slice, so that there is no copy of the volume.
    for part in array:
        digest.update(np.ascontiguousarray(part, dtype=f"<{kind}").data)
    return digest.hexdigest()


def digests_of_images(volume: Volume) -> dict[str, str]:
    """The `digest_of` each image by its name; empty for a volume of one image."""
    return {name: digest_of(volume.image(name)) for name in volume.images}


def digest_of_result(segmentation: Segmentation, geometry: Geometry) -> str:
    """The SHA-256 of the names and voxels of all segments with any, in the order of their names.

    Args:
        segmentation: the segments; formats may crop or turn their grid.
        geometry: the grid of the volume, in which voxels are counted.
    """
    digest = hashlib.sha256()
    strides = np.array([1, geometry.shape_kji[2], geometry.shape_kji[2] * geometry.shape_kji[1]])
    for segment in sorted(segmentation.segments, key=lambda s: (s.name, s.label)):
        positions = np.argwhere(segment.mask_kji) + segment.region.start_kji
        if len(positions):
            ras = segmentation.geometry.ras_from_ijk(positions[:, ::-1])
            indices = np.rint(geometry.ijk_from_ras(ras)).astype(np.int64) @ strides
            digest.update(f"{segment.name} {len(positions)} ".encode())
            digest.update(np.sort(indices).astype("<i8").tobytes())
    return digest.hexdigest()


def weights_of(model: str, options: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of the weights that a model runs with, by name; those of servers are not known.

    Args:
        model: its name.
        options: its options, among them `weights`, the file or folder given instead of the
            installed weights.
    """
    digests = {entry.name: entry.sha256 for entry in installed()}
    known, own = card(model, options), options.get("weights")
    used = {}
    if known.weights is not None:
        used[known.weights] = own_sha256(Path(own)) if own else digests.get(known.weights) or ""
    if known.base is not None:
        used[known.base] = digests.get(known.base) or ""
    return used


def versions() -> dict[str, str]:
    """The versions of this library and of installed packages that answers depend on."""
    found = {"medsegfm": __version__}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def stored_options(model: str, options: Mapping[str, str]) -> dict[str, str]:
    """Options without private ones, and without those that name files.

    The names of files may be a patient's.
    """
    private = {option.name for option in card(model).options if option.is_private}
    return {
        name: value
        for name, value in options.items()
        if name not in {"weights", *private}
        and not any(c in value for c in "/\\")
        and not Path(value).exists()
    }


def sidecar_of(path: Path) -> Path:
    """The file with the ledger of a label map: seg.nii.gz has seg.nii.gz.medsegfm.json beside it.

    With the whole name, so that results in two formats have a ledger each.
    """
    # The root of the file system has no name that could be replaced.
    return path.parent / f"{path.name}.medsegfm.json"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _texts(value: Any) -> dict[str, str]:
    return {_text(name): _text(text) for name, text in value.items()}
