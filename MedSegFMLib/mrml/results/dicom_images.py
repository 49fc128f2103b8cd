"""The files of a volume that was loaded from Slicer's DICOM database: the one access to that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

# Slicer's DICOM plugins write the UIDs of a volume's images here, separated by spaces.
_INSTANCES = "DICOM.instanceUIDs"


def image_files(volume_node: Any | None) -> list[Path]:
    """The files of a volume's images; [] if it is not of the database, or one is not there.

    Args:
        volume_node: The volume's node; None if there is none.
    """
    uids = (volume_node.GetAttribute(_INSTANCES) or "").split() if volume_node is not None else []
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None:
        return []
    names = [database.fileForInstance(uid) for uid in uids]
    files = [Path(name) for name in dict.fromkeys(names) if name]
    return files if all(names) and all(path.is_file() for path in files) else []


def stamp(volume_node: Any | None) -> tuple[object, ...]:
    """The values that `image_files` depends on, except for the files themselves."""
    uids = None if volume_node is None else volume_node.GetAttribute(_INSTANCES)
    return uids, getattr(slicer, "dicomDatabase", None)
