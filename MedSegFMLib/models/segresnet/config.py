"""A MONAI bundle's configuration read as data: references followed, no expression run.

`@name` and `@group#name` stand for another entry. After `$` MONAI evaluates Python; here that may
be literals, references, sums of these and a choice (`A if B else C`), which is what published
bundles use where they choose a spacing or a file, and nothing else.
https://docs.monai.io/en/stable/config_syntax.html
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from ...errors import WeightsError
from ...weights.folders import read_json

_REFERENCE = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")
_SEPARATOR = re.compile(r"#|::")
_DEEPEST = 30


class BundleConfig:
    """A configuration file; WeightsError for what is missing, cyclic or more than data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values = read_json(path) if path.suffix == ".json" else _read_yaml(path)

    def raw(self, name: str) -> Any:
        """An entry as it is written, such as "network_def" or "inferer#roi_size"."""
        held: Any = self.values
        for key in _SEPARATOR.split(name):
            if isinstance(held, list) and key.isdecimal() and int(key) < len(held):
                held = held[int(key)]
            elif isinstance(held, dict) and key in held:
                held = held[key]
            else:
                raise WeightsError(f"{self.path} has no '{name}'; get the bundle again.")
        return held

    def has(self, name: str) -> bool:
        """Whether there is an entry of that name at the top."""
        return name in self.values

    def data(self, value: Any, depth: int = 0) -> Any:
        """A value with every reference in it followed and every expression computed."""
        if depth > _DEEPEST:
            raise WeightsError(f"{self.path} refers to itself in '{value}'; get the bundle again.")
        if isinstance(value, dict):
            return {key: self.data(held, depth + 1) for key, held in value.items()}
        if isinstance(value, list):
            return [self.data(held, depth + 1) for held in value]
        if not isinstance(value, str):
            return value
        if value.startswith("$"):
            return self._computed(value, depth)
        whole = _REFERENCE.fullmatch(value)
        return self.data(self.raw(whole[1]), depth + 1) if whole else value

    def _computed(self, text: str, depth: int) -> Any:
        names: dict[str, str] = {}

        def named(found: re.Match[str]) -> str:
            return names.setdefault(found[1], f"reference_{len(names)}")

        code = _REFERENCE.sub(named, text[1:].strip())
        entries = {symbol: name for name, symbol in names.items()}

        def value_of(node: ast.expr) -> Any:
            match node:
                case ast.Constant():
                    return node.value
                case ast.Name(id=symbol) if symbol in entries:
                    return self.data(self.raw(entries[symbol]), depth + 1)
                case ast.List(elts=parts) | ast.Tuple(elts=parts):
                    return [value_of(part) for part in parts]
                case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as n)):
                    return -n
                case ast.IfExp(test=test, body=body, orelse=other):
                    return value_of(body) if value_of(test) else value_of(other)
                case ast.BinOp(op=ast.Add(), left=left, right=right):
                    return value_of(left) + value_of(right)
            raise ValueError

        try:
            return value_of(ast.parse(code, mode="eval").body)
        except (SyntaxError, ValueError, TypeError, RecursionError) as error:
            raise WeightsError(
                f"{self.path} computes '{text}', and what a bundle computes is never run; write "
                "the value in its place."
            ) from error


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise WeightsError(f"{path} is damaged or no YAML ({words}); get it again.") from error
    if not isinstance(held, dict):
        raise WeightsError(f"{path} holds no names and values; get it again.")
    return held
