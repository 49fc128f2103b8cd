"""The challenge's training files in a folder, and a coreset of them.

The coreset track of the CVPR 2025 challenge allows a tenth of the training cases. Here every data
set gives the same number of files; one that has fewer gives all, and the others give more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import CasesError
from .challenge_npz import is_challenge_file

# The parts of a file name that name the data set: CT_AMOS of CT_AMOS_amos_0001.npz.
_NAME_PARTS = 2


def training_files(
    folder: Path, share: float = 1.0, excluded: Path | None = None, seed: int = 0
) -> list[Path]:
    """The npz files of a folder and its subfolders, sorted, or a coreset of them.

    Args:
        folder: the folder.
        share: the part of the files to choose, above 0; 1 for all.
        excluded: a text file with the names of files to leave out, one a line: relative to the
            folder or alone, with or without .npz. Lines that begin with # are comments.
        seed: the seed of the choice.

    Raises:
        CasesError: there are no files, or the list of excluded ones cannot be read.
    """
    names = _excluded_names(excluded)
    files = sorted(path for path in folder.rglob("*") if is_challenge_file(path))
    kept = [path for path in files if not _names(path, folder) & names]
    if not kept:
        left_out = f"; {excluded} excludes all {len(files)}" if files else ""
        raise CasesError(
            f"{folder} contains no npz files{left_out}; give the folder of the challenge's files."
        )
    return kept if share >= 1 else _coreset(kept, folder, share, seed)


def data_set(path: Path, folder: Path) -> str:
    """The data set of a file: its subfolder, or else the beginning of its name."""
    inner = path.relative_to(folder).parent
    if inner != Path():
        return inner.as_posix()
    return "_".join(path.stem.split("_")[:_NAME_PARTS])


def equal_counts(sizes: Sequence[int], total: int) -> list[int]:
    """How many to take of groups of these sizes: as equal as the sizes allow, `total` together."""
    counts = [0] * len(sizes)
    left = min(total, sum(sizes))
    while left:
        open_groups = [n for n, size in enumerate(sizes) if counts[n] < size]
        each = max(1, left // len(open_groups))
        for n in open_groups:
            more = min(each, sizes[n] - counts[n], left)
            counts[n] += more
            left -= more
    return counts


def _coreset(files: Sequence[Path], folder: Path, share: float, seed: int) -> list[Path]:
    sets: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        sets[data_set(path, folder)].append(path)
    rng = np.random.default_rng(seed)
    total = max(1, round(share * len(files)))
    # If there are more data sets than files to choose, chance decides which give one.
    groups = [sets[name] for name in rng.permutation(sorted(sets))]
    counts = equal_counts([len(group) for group in groups], total)
    return sorted(
        group[index]
        for group, count in zip(groups, counts, strict=True)
        for index in rng.permutation(len(group))[:count]
    )


def _excluded_names(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CasesError(
            f"{path} cannot be read as a list of files ({error}); give a text file with a name a "
            "line."
        ) from error
    stripped = (line.strip() for line in lines)
    return {line.removesuffix(".npz") for line in stripped if line and not line.startswith("#")}


def _names(path: Path, folder: Path) -> set[str]:
    """The names by which a list may exclude a file."""
    return {path.stem, path.relative_to(folder).with_suffix("").as_posix()}
