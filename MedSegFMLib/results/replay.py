"""A result made again from its ledger, and compared with what was written."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..consistency.asking import asking
from ..errors import MedSegFMError, VolumeError
from ..model_choice import read_choice
from ..progress import Progress, no_progress
from ..registry import create
from ..session.session import Session
from ..system.json_files import load_bytes
from ..volumes.io.several import ImageFiles
from ..volumes.segmentations.files import has_segments
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.segmentations.treatment import treated
from ..volumes.volume import Volume
from .ledger import (
    Ledger,
    digest_of,
    digest_of_result,
    digests_of_images,
    parse_ledger,
    sidecar_of,
)

_MOST_BYTES = 256_000_000
_MOST_FILES = 200
_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".mgz", ".mgh")


@dataclass(frozen=True)
class Difference:
    """How an object of a replay differs from that of the result.

    Attributes:
        name: the object.
        voxels: the number of voxels that differ.
        dice: the Dice of both, 0 to 1; 1 if both are empty.
        ml: the volume in the result.
        replayed_ml: the volume in the replay.
    """

    name: str
    voxels: int
    dice: float
    ml: float
    replayed_ml: float


def read_ledger(path: Path) -> Ledger:
    """The ledger of a result, in it or beside it.

    Raises:
        VolumeError: it has none, or it cannot be read.
    """
    text = ""
    sidecar = sidecar_of(path)
    if has_segments(path):
        text = Segmentation.read(path).ledger
    elif sidecar.is_file():
        try:
            text = load_bytes(sidecar, _MOST_BYTES).decode("utf-8")
        except (OSError, ValueError) as error:
            raise VolumeError(f"{sidecar} cannot be read; copy it again.") from error
    if not text:
        # A file that is missing or damaged says so first.
        Segmentation.read(path)
        raise VolumeError(
            f"{path} has no ledger, in it or as {sidecar.name} beside it; use a result as medsegfm "
            "segment wrote it, with that file."
        )
    return parse_ledger(text, str(path))


def read_named(path: Path) -> Segmentation:
    """The segments of a file; a label map has the names of the ledger beside it, if there is one.

    Raises:
        VolumeError, MaskError: as `Segmentation.read`.
    """
    segmentation = Segmentation.read(path)
    sidecar = sidecar_of(path)
    if has_segments(path) or not sidecar.is_file():
        return segmentation
    try:
        ledger = parse_ledger(load_bytes(sidecar, _MOST_BYTES).decode("utf-8"), str(path))
    except (OSError, ValueError):
        # The names are a help; the file is shown without them.
        return segmentation
    return Segmentation.from_labelmap(segmentation.labelmap(), dict(ledger.prompts.objects))


def read_result(path: Path) -> tuple[Segmentation, Ledger]:
    """A result and its ledger.

    Raises:
        VolumeError: the result cannot be read, has no ledger, or was changed after it was written.
    """
    ledger = read_ledger(path)
    segmentation = Segmentation.read(path)
    if not has_segments(path):
        names = dict(ledger.prompts.objects)
        segmentation = Segmentation.from_labelmap(segmentation.labelmap(), names)
    if digest_of_result(segmentation, ledger.geometry) != ledger.result_sha256:
        raise changed_result(path)
    return segmentation, ledger


def changed_result(path: Path) -> VolumeError:
    """The error for a result that is not as it was written."""
    return VolumeError(
        f"{path} was changed after it was written, or has the ledger of another result; replay "
        "the file that medsegfm segment wrote."
    )


def other_volume(name: str) -> VolumeError:
    """The error for a volume that is not that of a result."""
    return VolumeError(
        f"{name} is not the volume that the result was made from (its voxels or its grid "
        "differ); give that volume, with the same --series."
    )


def volume_files(result: Path) -> list[Path]:
    """Other image files in the folder of a result, two hundred at most."""
    files = sorted(p for p in result.parent.iterdir() if p.name.lower().endswith(_ENDINGS))
    return [path for path in files[:_MOST_FILES] if path != result]


def find_volume(result: Path, ledger: Ledger) -> Path:
    """The volume of a result in its folder, by the SHA-256 of its voxels.

    Raises:
        VolumeError: it is not there.
    """
    found = _found(result, ledger, {ledger.volume_sha256})
    if not found:
        raise VolumeError(
            f"The volume of {result} is not in its folder; name it: replay RESULT VOLUME."
        )
    return found[ledger.volume_sha256]


def find_images(result: Path, ledger: Ledger) -> ImageFiles:
    """The images of a result of several in its folder, by the SHA-256 of their voxels.

    Raises:
        VolumeError: one is not there.
    """
    found = _found(result, ledger, set(ledger.images.values()))
    missing = [name for name, digest in ledger.images.items() if digest not in found]
    if missing:
        raise VolumeError(
            f"The image {missing[0]} of {result} is not in its folder; name each image: replay "
            f"RESULT --image {missing[0]}=FILE, with --resample-images if the result was made so."
        )
    places = {name: str(found[digest]) for name, digest in ledger.images.items()}
    return ImageFiles.of(places, ledger.primary)


def _found(result: Path, ledger: Ledger, digests: Set[str]) -> dict[str, Path]:
    """The volumes in the folder of a result, by the SHA-256 of their voxels."""
    found: dict[str, Path] = {}
    for path in volume_files(result):
        try:
            volume = Volume.read(path, frame=ledger.frame)
        except MedSegFMError:
            continue
        if volume.geometry.matches(ledger.geometry) and (digest := digest_of(volume)) in digests:
            found.setdefault(digest, path)
            if len(found) == len(digests):
                break
    return found


def replay(
    ledger: Ledger,
    volume: Volume,
    name: str,
    model: str | None = None,
    options: Mapping[str, str] | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Segmentation:
    """Make a result again.

    Args:
        ledger: how it was made.
        volume: the volume it was made from.
        name: the volume's file, for messages.
        model: another model; None for the same.
        options: options of `create`; None for those of the ledger.
        device: as for `create`.
        progress: called with the completed fraction and a phrase.

    Raises:
        VolumeError: it is another volume.
        MedSegFMError: the errors of the model and its prompts.
    """
    if not volume.geometry.matches(ledger.geometry) or digest_of(volume) != ledger.volume_sha256:
        raise other_volume(name)
    if ledger.images and digests_of_images(volume) != dict(ledger.images):
        raise VolumeError(
            f"The result was made from the images {', '.join(ledger.images)}, and those given are "
            "others; give each with --image NAME=FILE under its name."
        )
    given = dict(ledger.options) if options is None else dict(options)
    segmenter = create(model or ledger.model, device, **given)
    if ledger.asked_with is not None:
        others = [read_choice(text).create(device) for text in ledger.asked_with]
        segmenter = asking(segmenter, others)
    session = Session(segmenter, volume)
    session.change(ledger.prompts)
    return treated(session.segmentation(progress, ledger.overlapping), ledger.treatment)


def differences(result: Segmentation, replayed: Segmentation) -> list[Difference]:
    """Each object of a replay compared with the result, by name, on the grid of the replay."""
    geometry = replayed.geometry
    rows = []
    litre = geometry.voxel_volume_mm3 / 1000
    by_name = {segment.name: segment for segment in result.segments}
    for segment in replayed.segments:
        new = segment.on(geometry)
        old = np.zeros_like(new)
        if segment.name in by_name:
            given = by_name[segment.name].on(result.geometry)
            old = Volume(given, result.geometry).resample(geometry, order=0).array_kji
        common, total = int((old & new).sum()), int(old.sum()) + int(new.sum())
        rows.append(
            Difference(
                segment.name,
                int((old != new).sum()),
                2 * common / total if total else 1.0,
                int(old.sum()) * litre,
                int(new.sum()) * litre,
            )
        )
    return rows
