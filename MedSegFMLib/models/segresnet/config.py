"""A MONAI bundle's configuration as data: references are resolved, no expression is run.

`@name` and `@group#name` refer to another entry. After `$` MONAI evaluates Python; here such
expressions may be literals, references, sums of these and a choice (`A if B else C`), which
published bundles use to choose a spacing or a file, and nothing else. All steps together have a
limit, because a few entries that each add another twice would fill any memory.
https://docs.monai.io/en/stable/config_syntax.html
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from ...errors import WeightsError
from ...weights.folders import read_json
from ..common.setting_rules import shown
from .yaml_file import read_yaml

_REFERENCE = re.compile(r"@(\w+(?:(?:#|::)\w+)*)")
_SEPARATOR = re.compile(r"#|::")
_DEEPEST = 30
_MOST_STEPS = 50_000
_LONGEST_EXPRESSION = 2000


class BundleConfig:
    """A configuration file.

    Methods raise WeightsError for entries that are missing, cyclic or more than data.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values = read_json(path) if path.suffix == ".json" else read_yaml(path)
        self._steps = 0

    def raw(self, name: str) -> Any:
        """An entry as written, such as "network_def" or "inferer#roi_size"."""
        value: Any = self.values
        for key in _SEPARATOR.split(name):
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                raise WeightsError(f"{self.path} has no {shown(name)}; get the bundle again.")
        return value

    def followed(self, value: Any) -> Any:
        """A value as written, but for a reference to another entry, which is followed."""
        for _ in range(_DEEPEST):
            if not isinstance(value, str) or not value.startswith("@"):
                return value
            value = self.raw(value[1:])
        raise self._refers_to_itself(value)

    def has(self, name: str) -> bool:
        """Whether there is a top-level entry of that name."""
        return name in self.values

    def data(self, value: Any, depth: int = 0) -> Any:
        """A value with all references resolved and all expressions computed."""
        self._count(1)
        if depth > _DEEPEST:
            raise self._refers_to_itself(value)
        if isinstance(value, dict):
            return {key: self.data(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.data(item, depth + 1) for item in value]
        if not isinstance(value, str):
            return value
        if value.startswith("$"):
            return self._computed(value, depth)
        whole = _REFERENCE.fullmatch(value)
        return self.data(self.raw(whole[1]), depth + 1) if whole else value

    def _computed(self, text: str, depth: int) -> Any:
        if len(text) > _LONGEST_EXPRESSION:
            raise self._not_run(text)
        names: dict[str, str] = {}

        def symbol_of(match: re.Match[str]) -> str:
            return names.setdefault(match[1], f"reference_{len(names)}")

        code = _REFERENCE.sub(symbol_of, text[1:].strip())
        entries = {symbol: name for name, symbol in names.items()}

        def value_of(node: ast.expr) -> Any:
            match node:
                case ast.Constant(value=None | str() | bool() | int() | float() as constant):
                    return constant
                case ast.Name(id=symbol) if symbol in entries:
                    return self.data(self.raw(entries[symbol]), depth + 1)
                case ast.List(elts=parts) | ast.Tuple(elts=parts):
                    return [value_of(part) for part in parts]
                case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as n)):
                    return -n
                case ast.IfExp(test=test, body=body, orelse=other):
                    return value_of(body) if value_of(test) else value_of(other)
                case ast.BinOp(op=ast.Add(), left=left, right=right):
                    return self._sum(value_of(left), value_of(right))
            raise ValueError

        try:
            return value_of(ast.parse(code, mode="eval").body)
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
            raise self._not_run(text) from error

    def _sum(self, left: Any, right: Any) -> Any:
        if isinstance(left, str | list):
            self._count(len(left) + len(right))
        return left + right

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise WeightsError(
                f"{self.path} takes more than {_MOST_STEPS} steps to resolve; write values instead "
                "of references."
            )

    def _refers_to_itself(self, value: Any) -> WeightsError:
        return WeightsError(
            f"{self.path} refers to itself in {shown(value)}; get the bundle again."
        )

    def _not_run(self, text: str) -> WeightsError:
        return WeightsError(
            f"{self.path} contains the expression {shown(text)}, which is never run; write its "
            "value instead."
        )
