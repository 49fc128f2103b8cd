"""protocol.json: the protocol of the results in a folder, and a digest of each case."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

from ...errors import CasesError
from ...system.atomic_files import write_text
from ...system.json_files import load_json
from ..protocol import Protocol

# Fields that files of version 0.2.0 lack, with the value that they meant.
_ADDED = {"start": None, "line": False, "phrasings": False}
# The version of the rules that a file names. Before 2, a box rule and the protocol that uses it had
# the names of those that replaced them.
_RULES, _VERSION = "rules", 2
_RENAMED = {
    "box_rule": {"challenge": "challenge-middle-voxel"},
    "name": {"cvpr25": "cvpr25-middle-voxel"},
}


def read_case_digests(folder: Path, protocol: Protocol) -> dict[str, str]:
    """The digests of the cases in `folder` by name; empty if it contains no results.

    Raises:
        CasesError: the folder contains results of another protocol, or the file is damaged.
    """
    path = folder / "protocol.json"
    if not path.exists():
        return {}
    try:
        stored = {**_ADDED, **load_json(path, dict)}
        case_digests = dict(stored.pop("cases", {}))
        if stored.pop(_RULES, 1) != _VERSION:
            stored |= {
                field: names[stored[field]]
                for field, names in _RENAMED.items()
                if stored.get(field) in names
            }
    except OSError as error:
        raise CasesError(
            f"{path} cannot be read ({error.strerror}); choose another folder."
        ) from error
    except (TypeError, ValueError, AttributeError) as error:
        raise CasesError(
            f"{path} is damaged ({error}); remove it and results.csv or choose another folder."
        ) from error
    requested = dataclasses.asdict(protocol)
    if stored != requested:
        differing = [
            f"{name} {stored.get(name, 'none')} there, {requested.get(name, 'none')} requested"
            for name in requested | stored
            if stored.get(name) != requested.get(name)
        ]
        raise CasesError(
            f"{folder} contains results of another protocol ({'; '.join(differing)}); choose "
            "another folder."
        )
    return case_digests


def write_protocol(folder: Path, protocol: Protocol, case_digests: Mapping[str, str]) -> None:
    """Write protocol.json atomically."""
    document = {**dataclasses.asdict(protocol), _RULES: _VERSION, "cases": dict(case_digests)}
    write_text(folder / "protocol.json", json.dumps(document, indent=1))
