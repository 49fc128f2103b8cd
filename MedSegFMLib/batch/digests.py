"""SHA-256 of what a job was made from: contents of files and words, but neither names nor times."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..progress import Progress
from ..volumes.io.several import parse_images
from ..volumes.io.zarr_files import is_zarr
from .records import Job

_THREADS = 8
# What a command line has beside what its result depends on; files count by their contents.
_WITHOUT = frozenset(
    {
        "volume",
        "images",
        "out",
        "prompts",
        "weights",
        "avoid",
        "device",
        "words",
        "run",
        "jobs",
        "ray",
    }
    | {"ending", "pictures", "no_pictures"}
)


def digests_of(
    jobs: Sequence[Job], weights: Mapping[str, str], progress: Progress
) -> dict[str, str]:
    """The digest of each job by its name; empty for a job whose files cannot be read.

    Args:
        jobs: the jobs.
        weights: the SHA-256 of the weights of each model, by its text.
        progress: reports progress.
    """
    found = {}
    with ThreadPoolExecutor(_THREADS) as threads:
        digests = threads.map(lambda job: _digest(job, weights.get(job.model, "")), jobs)
        for n, (job, digest) in enumerate(zip(jobs, digests, strict=True), 1):
            found[job.name] = digest
            progress(n / len(jobs), f"Checking files, {n} of {len(jobs)}")
    return found


def digest_of_files(*paths: Path) -> str:
    """The SHA-256 of the contents of files and of all files in folders.

    Names do not count, but for those of the chunks of a Zarr image, which say where they belong.

    Raises:
        OSError: one cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        named = path.is_dir() and is_zarr(path)
        digests = []
        for file in files:
            with file.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            digests.append(f"{file.relative_to(path)} {digest}" if named else digest)
        whole.update(f"{len(files)} {' '.join(sorted(digests))} ".encode())
    return whole.hexdigest()


def _digest(job: Job, weights: str) -> str:
    words = {
        name: value
        for name, value in vars(job.arguments).items()
        if name not in _WITHOUT and not callable(value)
    }
    # The files that options name are inputs, and count by their contents.
    words["typed"] = [
        (option, _choice(value) if option == "--mask" else value)
        for option, value in job.arguments.typed
    ]
    images = parse_images(job.arguments.images).choices if job.arguments.images else {}
    words["images"] = list(images.items())
    ending = "".join(job.output.suffixes[-2:]).lower()
    try:
        files = digest_of_files(*_files(job.volume), *job.inputs)
    except OSError:
        return ""
    facts = repr((job.model, weights, ending, sorted(words.items(), key=str), files))
    return hashlib.sha256(facts.encode()).hexdigest()


def _choice(text: str) -> str:
    """The choice of FILE:CHOICE."""
    return text.rpartition(":")[2] if not Path(text).exists() else ""


def _files(volume: Path) -> list[Path]:
    """A volume with the file that holds its voxels, for a header without them."""
    beside = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz"), ".hdr": (".img",)}
    endings = beside.get(volume.suffix.lower(), ())
    return [volume, *(p for p in map(volume.with_suffix, endings) if p.exists())]
