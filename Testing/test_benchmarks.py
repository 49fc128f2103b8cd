"""The benchmarks fit the library and the documents: what moves there moves in them."""

import re
import shlex
from pathlib import Path

import pytest
from benchmark_arguments import FOLDER, ROOT, check_arguments, load

_CODE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)
_CALL = re.compile(r"(?:python|RUN)(?: -\S+ \w+)* Testing/benchmarks/(\w+)\.py(.*)")


def calls(document: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Each call of a benchmark in a document: its name and arguments."""
    text = document.read_text(encoding="utf-8")
    blocks = [block.replace("\\\n", " ") for block in _CODE.findall(text)]
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [" ".join(part.split()) for part in re.findall("`([^`]+)`", _CODE.sub("", text))]
    found = [_CALL.search(line) for line in lines]
    return [
        (call[1], tuple(shlex.split(call[2], comments=True))) for call in found if call is not None
    ]


CALLS = sorted({call for path in sorted((ROOT / "Docs").glob("*.md")) for call in calls(path)})


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_a_benchmark_can_be_imported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(name, monkeypatch).__doc__


def test_the_documents_call_benchmarks() -> None:
    assert len(CALLS) > 40


@pytest.mark.parametrize(("name", "arguments"), CALLS, ids=[" ".join([n, *a]) for n, a in CALLS])
def test_a_call_in_the_documents_is_accepted(
    name: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_arguments(name, arguments, monkeypatch)
