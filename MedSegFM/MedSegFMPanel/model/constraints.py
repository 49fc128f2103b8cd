"""Constraints for pip: what is installed in this Python stays as it is."""

from importlib import metadata


def installed_constraints(replaceable):
    """The lines of a constraints file that pins every installed package.

    So pip cannot exchange numpy, scipy, SimpleITK or requests, which Slicer has loaded and was
    built with, nor packages of other extensions, for what a new package wants; it fails instead.

    Args:
        replaceable: The names of packages that are too old and may be replaced.
    """
    free = {_normalised(name) for name in replaceable}
    pins = {}
    for distribution in metadata.distributions():
        name, version = distribution.name, distribution.version
        if name and _normalised(name) not in free and _is_version(version):
            # The first one is the one that is imported.
            pins.setdefault(_normalised(name), f"{name}=={version}")
    return "".join(f"{pins[name]}\n" for name in sorted(pins))


def _normalised(name):
    return name.lower().replace("_", "-").replace(".", "-")


def _is_version(text):
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except (InvalidVersion, TypeError):
        return False
    return True
