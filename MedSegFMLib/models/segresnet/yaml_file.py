"""A file of YAML, read as JSON: no tags, no aliases, no key twice, and the limits of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...errors import WeightsError
from ...system.json_files import JsonError, load_bytes, parse_json, unique

# PyYAML reads some 30 kB of short values a second.
_MOST_BYTES = 100_000
_DEEPEST = 64


def read_yaml(path: Path) -> dict[str, Any]:
    """The names and values in a file of YAML.

    Raises:
        WeightsError: The file cannot be read, has an alias, a tag, a key twice or anything that
            JSON does not have, is too large or too deep, or does not contain names and values.
    """
    import yaml

    try:
        text = load_bytes(path, _MOST_BYTES).decode("utf-8-sig")
        _check_structure(text)
        values: dict[str, Any] = parse_json(json.dumps(yaml.load(text, _loader())), dict)
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path} is damaged or not YAML ({reason}); get it again.") from error
    return values


def _check_structure(text: str) -> None:
    """Check aliases, with which a few lines become billions of values, and the depth."""
    import yaml

    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise JsonError(f"it has the alias *{event.anchor}, which is not supported")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise JsonError(f"it is nested deeper than {_DEEPEST}")


def _loader() -> Any:
    """PyYAML's safe loader, which makes data only, without duplicate keys."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        construct = loader.construct_object
        return unique([(construct(key, True), construct(value, True)) for key, value in node.value])

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Loader
