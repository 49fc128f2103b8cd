"""Time and memory of reading DICOM: a series of 600 slices beside SimpleITK, and a CD's list.

Each reading runs in a process of its own. SimpleITK's time is of the names in order, the voxels
and their copy to an array; ours is of all headers, the grid, the voxels and the proof.

    python Testing/benchmarks/reading.py
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "support")]

_SLICES, _SIZE, _FILES, _SERIES = 600, 512, 2000, 20
_REPEATS = 3


def write_series(folder: Path) -> None:
    """A CT series of 600 slices."""
    from dicom_files import slices, write_files

    rng = np.random.default_rng(0)
    array = rng.integers(-1000, 2000, (_SLICES, _SIZE, _SIZE)).astype(np.int16)
    write_files(folder, slices(array, (0, 0, 1.0), spacing=(0.7, 0.7)))


def write_cd(folder: Path) -> None:
    """A CD with 2,000 files in 20 series."""
    from dicom_files import noise, slices, write_files

    count = _FILES // _SERIES
    for n in range(_SERIES):
        series = slices(noise((count, 64, 64), n))
        write_files(folder / "PA0" / f"SE{n}", series, "MR", name="IM{:04d}", SeriesNumber=str(n))


def read_ours(folder: Path) -> int:
    """Read and prove a series; the bytes of its voxels."""
    from MedSegFMLib import Volume

    return Volume.read(folder).array_kji.nbytes


def read_sitk(folder: Path) -> int:
    """Read a series with SimpleITK; the bytes of its voxels."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    return int(sitk.GetArrayFromImage(reader.Execute()).nbytes)


def list_cd(folder: Path) -> int:
    """List the series of a CD; their number."""
    from MedSegFMLib.volumes.io.dicom.series import contents_of, list_series

    return len(list_series(contents_of(folder)))


def measured(work: Callable[[Path], int], folder: Path) -> tuple[float, int, int]:
    """Seconds, the growth of the peak memory in bytes, and the result, after the imports."""
    import imagecodecs  # noqa: F401
    import pydicom  # noqa: F401
    import scipy  # noqa: F401
    import SimpleITK  # noqa: F401

    from MedSegFMLib.system.memory.peak_memory import peak_bytes

    before = peak_bytes()
    start = time.perf_counter()
    result = work(folder)
    return time.perf_counter() - start, peak_bytes() - before, result


def alone(work: Callable[[Path], int], folder: Path) -> tuple[float, int, int]:
    """As `measured`, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measured, work, folder).result()


def main() -> None:
    """Print the measurements."""
    with tempfile.TemporaryDirectory() as name:
        series, disc = Path(name, "series"), Path(name, "cd")
        write_series(series)
        write_cd(disc)
        pairs = [(alone(read_ours, series), alone(read_sitk, series)) for _ in range(_REPEATS)]
        ours, theirs = (min(p[n][0] for p in pairs) for n in (0, 1))
        (_, memory, nbytes), (_, their_memory, _) = pairs[-1]
        print(
            f"{_SLICES} slices of {_SIZE} x {_SIZE}: {ours:.2f} s, SimpleITK {theirs:.2f} s, "
            f"ratio {ours / theirs:.2f}"
        )
        print(
            f"memory: {memory / nbytes:.2f} copies of the voxels, SimpleITK "
            f"{their_memory / nbytes:.2f}"
        )
        seconds, _, count = min(alone(list_cd, disc) for _ in range(_REPEATS))
        print(f"list of {_FILES} files in {count} series: {seconds:.2f} s")


if __name__ == "__main__":
    main()
