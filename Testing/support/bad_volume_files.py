"""Files that cannot be read as volumes, and what is said of each."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from sample_volumes import random_volume

from MedSegFMLib import Geometry, Volume

ENDINGS = [".nii", ".nii.gz", ".nrrd", ".mha"]


_LPS = np.diag([-1, -1, 1, 1])


def nifti(path: Path, **changes: tuple[str, int, tuple[float, ...]]) -> Path:
    volume = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), Geometry((3, 4, 5), np.eye(4)))
    volume.write(path)
    data = bytearray(path.read_bytes())
    for form, offset, values in changes.values():
        struct.pack_into(form, data, offset, *values)
    path.write_bytes(bytes(data))
    return path


def _zero_spacing_nifti(folder: Path) -> Path:
    return nifti(folder / "z.nii", spacing=("<f", 88, (0.0,)))


def _nan_axes_nifti(folder: Path) -> Path:
    changes = {"code": ("<hh", 252, (0, 1)), "axes": ("<12f", 280, (float("nan"),) * 12)}
    return nifti(folder / "n.nii", **changes)  # type: ignore[arg-type]


def _singular_nifti(folder: Path) -> Path:
    changes = {"code": ("<hh", 252, (0, 1)), "axes": ("<12f", 280, (1.0,) * 12)}
    return nifti(folder / "s.nii", **changes)  # type: ignore[arg-type]


def _short(ending: str, keep: float):  # type: ignore[no-untyped-def]
    def make(folder: Path) -> Path:
        path = folder / f"short{ending}"
        random_volume(Geometry((9, 14, 11), np.eye(4))).write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])
        return path

    return make


def _text_in(ending: str, old: bytes, new: bytes):  # type: ignore[no-untyped-def]
    def make(folder: Path) -> Path:
        path = folder / f"header{ending}"
        random_volume(Geometry((9, 14, 11), _LPS)).write(path)
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new))
        return path

    return make


def _array(array: np.ndarray, ending: str, vector: bool = False):  # type: ignore[no-untyped-def]
    def make(folder: Path) -> Path:
        path = folder / f"array{ending}"
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=vector), str(path))
        return path

    return make


def _missing(folder: Path) -> Path:
    return folder / "nowhere.nii.gz"


def _empty(folder: Path) -> Path:
    (folder / "empty.nrrd").touch()
    return folder / "empty.nrrd"


def _text(folder: Path) -> Path:
    (folder / "text.nii.gz").write_bytes(gzip.compress(b"not a header " * 50))
    return folder / "text.nii.gz"


def _changed_nifti(form: str, offset: int, *values: float):  # type: ignore[no-untyped-def]
    return lambda folder: nifti(folder / "c.nii", change=(form, offset, values))


def metaimage(*lines: str, voxels: str = "1 2 3 4 5 6 7 8"):  # type: ignore[no-untyped-def]
    fields = {
        "NDims": "3",
        "BinaryData": "False",
        "DimSize": "2 2 2",
        "ElementSpacing": "1 1 1",
        "ElementType": "MET_SHORT",
        **dict(line.split(" = ") for line in lines),
    }
    data = {"ElementDataFile": fields.pop("ElementDataFile", "LOCAL")}

    def make(folder: Path) -> Path:
        head = "".join(f"{key} = {value}\n" for key, value in (fields | data).items())
        (folder / "m.mha").write_text(f"ObjectType = Image\n{head}{voxels}\n")
        return folder / "m.mha"

    return make


def _plain_in_gz(folder: Path) -> Path:
    return nifti(folder / "p.nii").rename(folder / "p.nii.gz")


def _mixed_case(folder: Path) -> Path:
    return nifti(folder / "p.nii").rename(folder / "p.Nii")


def _bad_gzip(folder: Path) -> Path:
    path = _short(".nii.gz", 1)(folder)
    data = bytearray(path.read_bytes())
    data[10:40] = bytes(30)
    path.write_bytes(bytes(data))
    return path


BAD_FILES = {
    "missing": (_missing, "does not exist"),
    "not gzip": (_plain_in_gz, "not gzip-compressed"),
    "damaged gzip": (_bad_gzip, "cannot be unzipped"),
    "mixed case": (_mixed_case, "rename it"),
    "no axes": (_changed_nifti("<h", 40, 0), "its axes are"),
    "nine axes": (_changed_nifti("<h", 40, 9), "its axes are"),
    "negative axis": (_changed_nifti("<h", 44, -3), "its axes are"),
    "unknown voxels": (_changed_nifti("<h", 70, 77), "type is 77"),
    "NaN offset": (_changed_nifti("<f", 108, float("nan")), "byte nan"),
    "infinite offset": (_changed_nifti("<f", 108, float("inf")), "byte inf"),
    "no data file": (metaimage("ElementDataFile = "), "ElementDataFile ''"),
    "text as size": (metaimage("CompressedDataSize = many"), "damaged"),
    "no voxels": (metaimage("DimSize = 2 0 2"), "DimSize 2 0 2"),
    "short ASCII": (metaimage(voxels="1 2 3"), "cut short"),
    "empty": (_empty, "empty"),
    "text": (_text, "NIfTI header"),
    **{f"half a {e}": (_short(e, 0.5), "cut short|cannot be read") for e in ENDINGS},
    **{f"most of a {e}": (_short(e, 0.97), "cut short|cannot be read") for e in ENDINGS},
    "a bit of a .nii.gz": (_short(".nii.gz", 0.02), "cut short"),
    "2D": (_array(np.zeros((8, 8), np.uint8), ".png"), "not of a supported format"),
    "2D NIfTI": (_array(np.zeros((8, 8), np.int16), ".nii"), "2 axes"),
    "4D": (_array(np.zeros((2, 3, 4, 5), np.int16), ".nii"), "4 axes"),
    "RGB": (_array(np.zeros((3, 4, 5, 3), np.uint8), ".nrrd", True), "3 values per voxel"),
    "complex": (_array(np.zeros((3, 4, 5), np.complex64), ".nii"), "complex"),
    "zero spacing": (_zero_spacing_nifti, "spacing"),
    "NaN axes": (_nan_axes_nifti, "NaN"),
    "singular axes": (_singular_nifti, "grid"),
    "zero spacing NRRD": (_text_in(".nrrd", b"(1,0,0)", b"(0,0,0)"), "spacing"),
    "singular MetaImage": (
        _text_in(".mha", b"TransformMatrix = 1 0 0 0 1", b"TransformMatrix = 1 0 0 1 0"),
        "grid",
    ),
    "NaN spacing MetaImage": (
        _text_in(".mha", b"ElementSpacing = 1", b"ElementSpacing = nan"),
        "spacing",
    ),
}
