"""Results with a mask for each frame of a 4D volume: their digests, and their replay."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import MedSegFMError, VolumeError
from ..progress import Progress, no_progress
from ..registry import create
from ..session.propagation import propagate
from ..volumes.frames import Frames, FrameSource
from ..volumes.geometry import Geometry
from ..volumes.segmentations.segmentation import Segmentation
from ..volumes.volume import Volume
from .ledger import Ledger, digest_of, digest_of_result
from .replay import Difference, changed_result, differences, other_volume, volume_files


class DigestedFrames:
    """Frames whose voxels are known by their SHA-256 once all of them were read.

    Args:
        frames: the frames.
    """

    def __init__(self, frames: FrameSource) -> None:
        self._frames = frames
        self._digests: dict[int, str] = {}

    def __len__(self) -> int:
        """The number of frames."""
        return len(self._frames)

    def __getitem__(self, index: int, /) -> Volume:
        """A frame."""
        volume = self._frames[index]
        self._digests.setdefault(index, digest_of(volume))
        return volume

    @property
    def sha256(self) -> str:
        """The SHA-256 of all frames in their order; those that were not read yet are read."""
        for index in range(len(self)):
            if index not in self._digests:
                self[index]
        return _joined([self._digests[index] for index in range(len(self))])


def digest_of_frames_result(results: Sequence[Segmentation], geometry: Geometry) -> str:
    """The SHA-256 of the segments of every frame; see `digest_of_result`."""
    return _joined([digest_of_result(result, geometry) for result in results])


def read_frames_result(path: Path, ledger: Ledger) -> list[Segmentation]:
    """The segments of each frame of a result.

    Raises:
        VolumeError: it cannot be read, or was changed after it was written.
    """
    frames, names = Frames(path), dict(ledger.prompts.objects)
    results = [Segmentation.from_labelmap(frames[index], names) for index in range(len(frames))]
    if digest_of_frames_result(results, ledger.geometry) != ledger.result_sha256:
        raise changed_result(path)
    return results


def find_frames(result: Path, ledger: Ledger) -> Path:
    """The 4D volume of a result in its folder, by the SHA-256 of its voxels.

    Raises:
        VolumeError: it is not there.
    """
    for path in volume_files(result):
        try:
            frames = DigestedFrames(Frames(path))
            is_it = frames[0].geometry.matches(ledger.geometry)
            is_it = is_it and frames.sha256 == ledger.volume_sha256
        except MedSegFMError:
            continue
        if is_it:
            return path
    raise VolumeError(
        f"The volume of {result} is not in its folder; name it: replay RESULT VOLUME."
    )


def replay_frames(
    ledger: Ledger,
    frames: FrameSource,
    name: str,
    model: str | None = None,
    options: Mapping[str, str] | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> list[Segmentation]:
    """Make the result of all frames again; arguments and errors are those of `replay.replay`."""
    digested = DigestedFrames(frames)
    start = (ledger.frame or 1) - 1
    if start >= len(digested) or not digested[start].geometry.matches(ledger.geometry):
        raise other_volume(name)
    if digested.sha256 != ledger.volume_sha256:
        raise other_volume(name)
    given = dict(ledger.options) if options is None else dict(options)
    segmenter = create(model or ledger.model, device, **given)
    return propagate(segmenter, digested, start, ledger.prompts, progress, ledger.treatment)


def differences_of_frames(
    results: Sequence[Segmentation], replayed: Sequence[Segmentation]
) -> list[Difference]:
    """Each object of a replay compared with the result over all frames, by name."""
    rows: dict[str, list[Difference]] = defaultdict(list)
    for result, made in zip(results, replayed, strict=True):
        for row in differences(result, made):
            rows[row.name].append(row)
    voxel_ml = replayed[0].geometry.voxel_volume_mm3 / 1000
    return [_summed(name, own, voxel_ml) for name, own in rows.items()]


def _summed(name: str, rows: Sequence[Difference], voxel_ml: float) -> Difference:
    voxels = sum(row.voxels for row in rows)
    ml, again = sum(row.ml for row in rows), sum(row.replayed_ml for row in rows)
    both = round((ml + again) / voxel_ml)
    # What differs is the sum of both sets without twice their common part.
    return Difference(name, voxels, 1 - voxels / both if both else 1.0, ml, again)


def _joined(digests: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()
