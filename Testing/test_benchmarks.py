"""The benchmarks fit the library and the documents: what moves there moves in them."""

import re
import shlex
from pathlib import Path

import pytest
from benchmark_arguments import FOLDER, ROOT, check_arguments, load

_CODE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
_CALL = re.compile(r"(?:python|RUN)(?: -\S+ \w+)* Testing/benchmarks/(\w+)\.py(.*)")


def calls(document: Path) -> list[tuple[str, list[str]]]:
    """Each call of a benchmark in a document: its name and arguments."""
    text = document.read_text(encoding="utf-8")
    blocks = [block.replace("\\\n", " ") for block in _CODE.findall(text)]
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [" ".join(part.split()) for part in re.findall("`([^`]+)`", _CODE.sub("", text))]
    found = [_CALL.search(line) for line in lines]
    return [(call[1], shlex.split(call[2], comments=True)) for call in found if call is not None]


CALLS = [call for path in sorted((ROOT / "Docs").glob("*.md")) for call in calls(path)]
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def test_the_documents_call_benchmarks_that_exist() -> None:
    assert len(CALLS) > 40 and {name for name, _ in CALLS} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_imported_and_takes_the_arguments_of_the_documents(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load(name, monkeypatch)
    assert module.__doc__
    for called, arguments in CALLS:
        if called == name:
            check_arguments(module, arguments, monkeypatch)
