"""The volume of a case, which the results of a batch do not name: its path may be a patient's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...datasets.challenge_npz import SPACING_ORDERS, is_challenge_file, read_image
from ...errors import CasesError
from ...results.ledger import Ledger, digest_of
from ...results.replay import other_volume, read_ledger, read_named
from ...volumes.segmentations.segmentation import Segmentation
from ...volumes.volume import Volume
from ..listing import Entry, is_list, read_list, volumes_in
from .case import ReviewCase


class CaseVolumes:
    """The volumes that a batch was made from.

    Args:
        source: the folder of the volumes, or the list of them, as `medsegfm segment` got it.
        results: the folder of the batch.

    Raises:
        CasesError: it is neither, or holds no volumes.
    """

    def __init__(self, source: Path, results: Path) -> None:
        self._source = source
        if is_list(source):
            entries = read_list(source)
        elif source.is_dir():
            entries = volumes_in(source, results, None, paired=False)
        else:
            raise CasesError(
                f"{source} is neither a folder of volumes nor a LIST.csv of them; choose what the "
                "batch was made from."
            )
        self._entries: dict[str, Entry] = {entry.name: entry for entry in entries}

    def read(self, case: str, ledger: Ledger) -> Volume:
        """The volume of a case.

        Args:
            case: its name.
            ledger: that of its result.

        Raises:
            CasesError: it is not there.
            VolumeError: it cannot be read, or is not the volume that the result was made from.
        """
        entry = self._entries.get(case)
        if entry is None:
            raise CasesError(
                f"{self._source} has no volume of the case '{case}'; choose the folder or list "
                "that the batch was made from."
            )
        path = entry.volume
        if is_challenge_file(path):
            # The ledger has the grid in the order of the spacing that the batch was made with.
            for order in SPACING_ORDERS:
                volume = read_image(path, order)
                if volume.geometry.matches(ledger.geometry):
                    break
        else:
            volume = Volume.read(
                path, entry.cells.get("series"), frame=ledger.frame, suv=ledger.suv
            )
        same_grid = volume.geometry.matches(ledger.geometry)
        if not same_grid or digest_of(volume) != ledger.volume_sha256:
            raise other_volume(str(path))
        return volume


def read_case(case: ReviewCase) -> tuple[Segmentation, Ledger]:
    """The present result of a case on the grid of its volume, and how it was made.

    Its objects have the labels of the prompts.

    Raises:
        VolumeError: it cannot be read, or has no ledger.
    """
    ledger = read_ledger(case.result)
    found = read_named(case.result)
    if not found.geometry.matches(ledger.geometry):
        # Formats may crop or turn their own grid.
        found = found.mapped(lambda volume: volume.resample(ledger.geometry, order=0))
    labels = {name: label for label, name in ledger.prompts.objects}
    names = [segment.name for segment in found.segments]
    if len(labels) == len(ledger.prompts.objects) and set(names) <= labels.keys():
        segments = [replace(segment, label=labels[segment.name]) for segment in found.segments]
        found = replace(found, segments=tuple(segments))
    return replace(found, geometry=ledger.geometry), ledger
