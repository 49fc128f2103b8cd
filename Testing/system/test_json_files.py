"""The one JSON reader: what it refuses, and that each reader turns it into its own error."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from waiting import GENEROUS_SECONDS

from MedSegFMLib.commands.training_events import read_report
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.errors import (
    CasesError,
    MedSegFMError,
    PromptError,
    VolumeError,
    WeightsError,
)
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.results.protocol_record import read_case_digests
from MedSegFMLib.evaluate.results.run_log import read_runs
from MedSegFMLib.prompts.json_format import read_prompts
from MedSegFMLib.synthesis.recorded.pack import read_sources
from MedSegFMLib.system.csv_cells import escaped, unescaped
from MedSegFMLib.system.json_files import JsonError, load_json, parse_json
from MedSegFMLib.system.names import name_fault, parse_label
from MedSegFMLib.weights.folders import read_json
from MedSegFMLib.weights.safetensors_header import read_header

HOSTILE = {
    "deep": "[" * 100_000,
    "deep object": '{"a":' * 100_000,
    "closed and deep": "[" * 3000 + "]" * 3000,
    "unfinished texts": '"\\"' * 200_000 + "[" * 100,
    "long number": '{"a": ' + "9" * 5000 + "}",
    "large number": '{"a": 1e999}',
    "NaN": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "twice": '{"a": 1, "a": 2}',
    "lone surrogate": '{"a": "\\ud800"}',
    "lone surrogate as a key": '{"\\uDFFF": 1}',
    "NUL": '{"a": ["\\u0000"]}',
    "raw NUL": '{"a": "\0"}',
    "raw surrogate": '{"a": "\ud800"}',
    "empty": "",
    "cut": '{"a": [1, 2',
    "trailing": "{} {}",
    "number": "7",
    "null": "null",
    "many": "[" + "[]," * 6_000_000 + "[]]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_refused_at_once(name: str) -> None:
    begin = time.monotonic()
    with pytest.raises(JsonError):
        parse_json(HOSTILE[name], dict)
    # A search that goes back over the text would take hours.
    assert time.monotonic() - begin < GENEROUS_SECONDS


def test_bytes_that_are_not_utf8_and_texts_beyond_the_limit_are_refused() -> None:
    with pytest.raises(JsonError, match="UTF-8"):
        parse_json(b'{"a": "\xff"}')
    with pytest.raises(JsonError, match="10 bytes"):
        parse_json("[" + "1," * 20 + "1]", most_bytes=10)


def test_ordinary_text_is_read_as_json_reads_it() -> None:
    text = '{"a": [1, -2.5, "x\\u00e9\\ud83d\\ude00 \\\\u0000", true, null], "[[[": {"b": {}}}'
    assert parse_json(text) == json.loads(text)
    assert parse_json("\ufeff[1]".encode()) == [1]
    nested = "[" * 64 + "]" * 64
    assert parse_json(nested) == json.loads(nested)
    assert parse_json('["' + "[" * 1000 + '"]') == ["[" * 1000]


READERS = {
    "cases": (lambda path: read_cases(path), CasesError),
    "prompts": (lambda path: read_prompts(path), PromptError),
    "protocol": (lambda path: read_protocol(str(path)), CasesError),
    "runs": (lambda path: read_runs(path.parent), CasesError),
    "record": (lambda path: read_case_digests(path.parent, Protocol()), CasesError),
    "sources": (lambda path: read_sources(path), VolumeError),
    "plans": (lambda path: read_json(path), WeightsError),
}
NAMES = {"runs": "runs.json", "record": "protocol.json"}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_names_its_error_and_the_file(reader: str, tmp_path: Path) -> None:
    read, error = READERS[reader]
    path = tmp_path / NAMES.get(reader, "file.json")
    for name in sorted(HOSTILE.keys() - {"many"}):
        path.write_bytes(HOSTILE[name].encode("utf-8", "surrogatepass"))
        with pytest.raises(error) as caught:
            read(path)
        assert str(path) in str(caught.value), name
        assert "\n" not in str(caught.value).strip(), name


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_refused_by_every_reader(reader: str, tmp_path: Path) -> None:
    read, error = READERS[reader]
    path = tmp_path / NAMES.get(reader, "file.json")
    os.mkfifo(path)
    with pytest.raises(error):
        read(path)


def test_a_report_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(HOSTILE["deep"])
    assert read_report(tmp_path) is None


@pytest.mark.parametrize(
    "header",
    [
        HOSTILE["deep"],
        '{"a": {"shape": 3, "data_offsets": [0, 4]}}',
        '{"a": {"shape": [-1], "data_offsets": [0, 4]}}',
        '{"a": {"shape": ["x"], "data_offsets": [0, 4]}}',
        '{"a": {"shape": [1], "data_offsets": [0, 1.5]}}',
        '{"a": {"shape": [1], "data_offsets": "ab"}}',
        '{"__metadata__": {"format": 3}}',
        '{"__metadata__": {"format": "a"}, "__metadata__": {"format": "b"}}',
        "[]",
    ],
)
def test_a_hostile_header_of_tensors_is_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(WeightsError):
        read_header(path)


def case(objects: dict[str, str], name: str = "a") -> str:
    """A list of one case."""
    item = {"name": name, "image": "i.nii", "label": "l.nii", "modality": "CT", "objects": objects}
    return json.dumps({"cases": [item]})


@pytest.mark.parametrize(
    "text",
    [
        case({"0": "background"}),
        case({"1": "liver", "01": "spleen"}),
        case({"70000": "liver"}),
        case({"-1": "liver"}),
        case({"1_0": "liver"}),
        case({"\u0661": "liver"}),
        case({"1": "liver\r"}),
        case({"1": "li\u2028ver"}),
        case({"1": "liver"}, "a\n"),
        case({"1": "liver"}, "a\x1b[2J"),
        case({"1": "l" * 2000}),
    ],
)
def test_labels_and_names_of_cases_are_plain(text: str, tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text(text)
    with pytest.raises(CasesError) as caught:
        read_cases(tmp_path / "cases.json")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["liver\r", "a\nb", "\x07", "a\u2029", "l" * 2000, 5])
def test_names_of_prompts_are_plain(name: object, tmp_path: Path) -> None:
    document = {
        "format": "medsegfm-prompts",
        "version": 1,
        "space": "RAS",
        "unit": "mm",
        "objects": [{"label": 1, "name": name}],
        "prompts": [],
    }
    (tmp_path / "p.json").write_text(json.dumps(document))
    with pytest.raises(MedSegFMError) as caught:
        read_prompts(tmp_path / "p.json")
    assert str(caught.value).isprintable()


def test_labels_have_one_spelling() -> None:
    assert parse_label("1") == 1 and parse_label("65535") == 65535
    bad = ("", "0", "01", "+1", "1 ", " 1", "1\n", "65536", "1e3", "\u0661", "9" * 5000)
    assert [parse_label(text) for text in bad] == [None] * len(bad)
    assert name_fault("Leber (rechts) größer") is None


@pytest.mark.parametrize(
    "text", ["=cmd", "+1", "-x", "@a", "\ta", "'=x", "''=x", "'a", "a", "", "'"]
)
def test_cells_are_never_formulas_and_come_back(text: str) -> None:
    cell = escaped(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unescaped(cell) == text


def test_numbers_of_cells_stay_numbers() -> None:
    assert escaped(-1.5) == -1.5


def test_a_folder_is_not_a_file_of_json(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="regular file"):
        load_json(tmp_path)
