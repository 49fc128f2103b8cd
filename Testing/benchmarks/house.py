"""Counts of the product's files, functions and idioms, for the developer guide.

    python Testing/benchmarks/house.py [CHECKOUT]

Product files are those of MedSegFMLib and MedSegFM; a checkout of an earlier commit can be given to
compare with.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_IDIOMS = {
    '"where" for "if"': r"\bwhere (there|it|that|one|none|nothing|they|this|the \w+) "
    r"(is|are|has|have|does|was|were|cannot|can)\b|\b(None|empty|Error) where\b",
    '"nobody", "whoever", "somebody"': r"\b(nobody|whoever|somebody)\b",
    '"told", "tells"': r"\b(told|tells?)\b",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, nargs="?", default=ROOT)
    root = parser.parse_args().checkout
    files = [path for name in ("MedSegFMLib", "MedSegFM") for path in (root / name).rglob("*.py")]
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in files]
    folders = Counter(path.parent for path in files)
    largest, most = folders.most_common(1)[0]
    functions: list[int] = []
    public: list[bool] = []
    words: list[str] = []
    beginnings = 0
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            text = ast.get_docstring(node) or ""
            words += text.split()
            beginnings += text.startswith("What ")
            if isinstance(node, ast.FunctionDef):
                functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
                if not node.name.startswith("_"):
                    public.append(bool(text))
    print(f"product files: {len(files)}, {sum(lengths)} lines")
    print(f"largest folder: {most} files ({largest.relative_to(root)})")
    print(f"files at the top of MedSegFMLib: {folders[root / 'MedSegFMLib']}")
    print(f"file length, median / longest: {statistics.median(lengths):.0f} / {max(lengths)} lines")
    shape = f"{statistics.median(functions):.0f} / {max(functions)}"
    print(f"function length, median / longest: {shape} lines")
    print(f"public functions with a docstring: {100 * sum(public) / len(public):.0f} %")
    thousand = len(words) / 1000
    text = " ".join(words)
    print(f'docstrings that begin with "What", per 1,000 words: {beginnings / thousand:.1f}')
    for name, pattern in _IDIOMS.items():
        print(f"{name}, per 1,000 words: {len(re.findall(pattern, text)) / thousand:.1f}")


if __name__ == "__main__":
    main()
