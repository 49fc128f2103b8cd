"""Stand-in for Slicer's packaging: reads requirements, notes what it is asked to install."""

import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

# One entry per call: what was asked for, by whom, and in which thread.
calls = []


def load_requirements(path):
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def pip_check(requirements, _seen=None):
    wanted = requirements if isinstance(requirements, list) else [requirements]
    return all(_is_satisfied(requirement) for requirement in wanted)


def pip_ensure(requirements, requester=None, **options):
    calls.append((requirements, requester, threading.current_thread(), options))


def _is_satisfied(requirement):
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
