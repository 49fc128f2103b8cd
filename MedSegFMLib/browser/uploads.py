"""Files that a page sends: bounded, in a private folder, read by the library's own readers."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import MedSegFMError, PageError

if TYPE_CHECKING:
    from aiohttp import BodyPartReader, MultipartReader

LARGEST_BYTES = 4_000_000_000
# All files that lie in the folder at a time: those that are being sent or read, and DICOM images.
LARGEST_SUM_BYTES = 16_000_000_000
# A CT series has up to some thousand files.
_MOST_FILES = 10_000
_LONGEST_NAME = 80
_CHUNK_BYTES = 1 << 20
# A header that lies in a file of its own, which is read; the voxels are beside it.
_HEADERS = (".mhd", ".nhdr", ".hdr")


class Uploads:
    """The folder of the files that pages have sent, which no other user can read.

    Args:
        largest_bytes: The largest sum of the files of one upload.
        largest_sum_bytes: The largest sum of all files in the folder.

    Attributes:
        folder: The folder.
    """

    def __init__(
        self, largest_bytes: int = LARGEST_BYTES, largest_sum_bytes: int = LARGEST_SUM_BYTES
    ) -> None:
        self._largest, self._largest_sum = largest_bytes, largest_sum_bytes
        # The bytes of each upload that is stored or being stored, by its number.
        self._stored: dict[str, int] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="medsegfm-uploads-"))
        self._count = 0

    async def receive(self, reader: MultipartReader) -> Path:
        """Store the files of a request.

        Returns:
            The file, or the folder of several, to read and then to remove by `remove`.

        Raises:
            PageError: If there is no file, they are too many or too large, or they cannot be
                stored; nothing is kept.
        """
        self._count += 1
        number = str(self._count)
        folder = self.folder / number
        self._stored[number] = 0
        try:
            folder.mkdir(mode=0o700)
            names, taken = list[str](), set[str]()
            async for part in _files(reader):
                name = safe_name(part.filename or "", taken)
                names.append(name)
                taken.add(name.casefold())
                if len(names) > _MOST_FILES:
                    raise PageError(f"More than {_MOST_FILES} files were sent; send one series.")
                await self._store(part, folder / name, number)
            if not names:
                raise PageError("No file was sent; choose one.")
        except BaseException as error:
            self.remove(folder)
            fault = _fault(error)
            if fault:
                raise PageError(fault) from error
            raise
        return _to_read(folder, names)

    def without_folder(self, sentence: str) -> str:
        """A message without the place of the private folder."""
        return re.sub(rf"{re.escape(str(self.folder))}/\d+/?", "", sentence)

    def remove(self, path: Path) -> None:
        """Delete the files of an upload."""
        if self.folder in path.parents:
            number = path.relative_to(self.folder).parts[0]
            shutil.rmtree(self.folder / number, ignore_errors=True)
            self._stored.pop(number, None)

    def close(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _store(self, part: BodyPartReader, path: Path, number: str) -> None:
        """Write a file of an upload.

        Raises:
            PageError: If the files are too large, of this upload or of all.
        """
        with path.open("xb") as file:
            while chunk := await part.read_chunk(_CHUNK_BYTES):
                self._stored[number] += len(chunk)
                if self._stored[number] > self._largest:
                    raise PageError(
                        f"The files are larger than {self._largest / 1e9:g} GB; start medsegfm "
                        "browser with their path instead."
                    )
                if sum(self._stored.values()) > self._largest_sum:
                    raise PageError(
                        f"All uploads of this session are larger than {self._largest_sum / 1e9:g} "
                        "GB; start medsegfm browser anew, with the paths of large files."
                    )
                file.write(chunk)


def safe_name(given: str, taken: Collection[str]) -> str:
    """A file name without folders and without anything that a system treats specially.

    Args:
        given: The name that the page gave.
        taken: Names that are taken already, case-folded.
    """
    name = PurePosixPath(given.replace("\\", "/")).name
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)[-_LONGEST_NAME:].lstrip(".-") or "file"
    name, number = plain, len(taken)
    while name.casefold() in taken:
        name, number = f"{number}-{plain}", number + 1
    return name


def _fault(error: BaseException) -> str:
    """Why an upload has failed; "" if the error says so itself, or the page is gone."""
    if isinstance(error, MedSegFMError):
        return ""
    if isinstance(error, ValueError | EOFError | ConnectionError):
        return "The upload was cut off or damaged; send it again."
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return (
            f"The upload could not be stored ({reason}); free space for temporary files, or start "
            "medsegfm browser with the path of the files instead."
        )
    return ""


async def _files(reader: MultipartReader) -> AsyncIterator[BodyPartReader]:
    from aiohttp import BodyPartReader

    async for part in reader:
        if isinstance(part, BodyPartReader) and part.filename:
            yield part


def _to_read(folder: Path, names: list[str]) -> Path:
    if len(names) == 1:
        return folder / names[0]
    headers = [name for name in names if name.lower().endswith(_HEADERS)]
    return folder / headers[0] if len(headers) == 1 else folder
