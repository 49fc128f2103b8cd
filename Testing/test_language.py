"""Docstrings and messages of the product are in plain English.

Ten comparable projects hardly ever use these phrases: per 1,000 words of their docstrings, "where"
for "if" occurs 0 to 0.7 times, a docstring that begins with "What" never, "nobody" and the like
0 to 1.0 times, and "told" or "tells" 0 to 0.1 times.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
_PRODUCT = ("MedSegFMLib", "MedSegFM")

_PLACES = r"(?<!folder )(?<!file )(?<!place )(?<!places )(?<!voxels )(?<!slices )(?<!position )"
_PHRASES = {
    "a docstring that begins with What": re.compile(r"\AWhat\b"),
    "nobody, whoever, somebody": re.compile(r"\b(nobody|whoever|somebody)\b", re.IGNORECASE),
    "of its own accord": re.compile(r"\bof its own accord\b"),
    "so many": re.compile(r"\bso many\b", re.IGNORECASE),
    "told, tells, hears": re.compile(r"\b(told|tells|hears)\b", re.IGNORECASE),
    "'where' for 'if'": re.compile(
        r"\b(?:None|empty|0|[A-Z]\w+Error|nothing|False|True) where\b"
        rf"|{_PLACES}\b[Ww]here (?:there|it|that|one|none|nothing|the \w+) "
        r"(?:is|are|has|have|does|cannot|can)\b"
    ),
}
_DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class _Text:
    """A docstring or a message, with the line of its file where it begins."""

    line: int
    text: str
    is_docstring: bool


def _folders() -> list[str]:
    """Each package's folders with Python files, and the package itself for the files on top."""
    return [
        folder.relative_to(_ROOT).as_posix()
        for package in _PRODUCT
        for folder in (_ROOT / package, *sorted((_ROOT / package).iterdir()))
        if folder.is_dir() and any(folder.rglob("*.py"))
    ]


def _files(folder: str) -> list[Path]:
    """The Python files of a folder; of a package itself, those on top only."""
    path = _ROOT / folder
    return sorted(path.glob("*.py") if folder in _PRODUCT else path.rglob("*.py"))


def _texts(tree: ast.Module) -> Iterator[_Text]:
    """Docstrings, and string literals of more than one word."""
    done: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)) is not None:
            literal = node.body[0]
            assert isinstance(literal, ast.Expr)
            done.add(id(literal.value))
            yield _Text(literal.lineno, text, is_docstring=True)
        elif isinstance(node, ast.JoinedStr):
            done.update(id(part) for part in node.values)
            yield _Text(node.lineno, "".join(map(_part, node.values)), is_docstring=False)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in done
            and " " in node.value
        ):
            yield _Text(node.lineno, node.value, is_docstring=False)


def _part(part: ast.expr) -> str:
    """A piece of a formatted string, with an ellipsis for a value."""
    return str(part.value) if isinstance(part, ast.Constant) else "…"


def _line_of(text: _Text, position: int) -> int:
    """The line of a phrase; in a message of several literals, the line of the first of them."""
    return text.line + (text.text.count("\n", 0, position) if text.is_docstring else 0)


@pytest.mark.parametrize("folder", _folders())
def test_docstrings_and_messages_are_plain_english(folder: str) -> None:
    phrases: list[str] = []
    counts: Counter[str] = Counter()
    words = 0
    for path in _files(folder):
        for text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            words += len(text.text.split()) if text.is_docstring else 0
            for name, pattern in _PHRASES.items():
                if name.startswith("a docstring") and not text.is_docstring:
                    continue
                for match in pattern.finditer(text.text):
                    counts[name] += text.is_docstring
                    line = _line_of(text, match.start())
                    phrase = " ".join(match.group().split())
                    phrases.append(f"{path.relative_to(_ROOT)}:{line}: '{phrase}' ({name})")
    rates = "; ".join(f"{name}: {1000 * counts[name] / max(words, 1):.1f}" for name in _PHRASES)
    if phrases:
        pytest.fail(
            "\n".join(phrases) + f"\nPer 1,000 words of {folder}'s docstrings: {rates}",
            pytrace=False,
        )
