"""Constraints for pip: what is installed in this Python stays as it is."""

import os
import tempfile
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from MedSegFMLib.system.atomic_files import write_text

# What Slicer has loaded and was built with.
_OF_SLICER = frozenset({"numpy", "scipy", "simpleitk", "requests"})
_VARIABLE = "PIP_CONSTRAINT"


@contextmanager
def held_packages(replaceable):
    """Yield a file of constraints that pins every installed package.

    So pip cannot exchange what Slicer or another extension uses for what a new package wants; it
    fails instead.

    Args:
        replaceable: The names of packages that are too old and may be replaced.
    """
    free = {_normalised(name) for name in replaceable}
    lines = [line for name, line in sorted(_pins().items()) if name not in free]
    with _file_of(lines) as path:
        yield path


@contextmanager
def held_for_all_pips():
    """Hold numpy, scipy, SimpleITK and requests in each pip that this process starts meanwhile.

    For the extension PyTorch, which takes no constraints and may replace pip itself.
    """
    lines = [line for name, line in sorted(_pins().items()) if name in _OF_SLICER]
    before = os.environ.get(_VARIABLE)
    with _file_of(lines) as path:
        # As an address: pip splits the variable at spaces, which a path may contain.
        os.environ[_VARIABLE] = " ".join(filter(None, (before, path.as_uri())))
        try:
            yield
        finally:
            os.environ.pop(_VARIABLE)
            if before is not None:
                os.environ[_VARIABLE] = before


def _pins():
    """The line of each installed package by its normalised name."""
    pins = {}
    for distribution in metadata.distributions():
        name, version = distribution.name, distribution.version
        if name and _is_version(version):
            # The first one is the one that is imported.
            pins.setdefault(_normalised(name), f"{name}=={version}")
    return pins


@contextmanager
def _file_of(lines):
    with tempfile.TemporaryDirectory(prefix="MedSegFM-") as folder:
        path = Path(folder) / "constraints.txt"
        write_text(path, "".join(f"{line}\n" for line in lines))
        yield path


def _normalised(name):
    return name.lower().replace("_", "-").replace(".", "-")


def _is_version(text):
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except (InvalidVersion, TypeError):
        return False
    return True
