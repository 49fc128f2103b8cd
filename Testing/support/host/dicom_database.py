"""The stand-in of `slicer.dicomDatabase`, a ctkDICOMDatabase: as strict on what it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class DicomDatabase:
    """Instances by their UIDs; PythonQt takes one text for each QString and nothing else.

    Args:
        files: The files that were imported.
    """

    isOpen = True

    def __init__(self, files: Iterable[Path]) -> None:
        from pydicom import dcmread

        names = sorted(str(path) for path in files)
        self._files = {
            str(dcmread(name, stop_before_pixels=True).SOPInstanceUID): name for name in names
        }

    @property
    def uids(self) -> list[str]:
        """The UIDs of all instances, by file; for tests."""
        return list(self._files)

    def fileForInstance(self, sopInstanceUID: str) -> str:
        """The file of an instance; "" if it is not in the database."""
        if type(sopInstanceUID) is not str:
            raise ValueError("Called fileForInstance(QString) with wrong arguments")
        return self._files.get(sopInstanceUID, "")
