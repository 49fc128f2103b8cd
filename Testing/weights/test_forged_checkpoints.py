"""Forged files in torch's format are refused with a named error, and nothing in them runs."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import forged_checkpoints as forged
import pytest
import torch
from forged_checkpoints import called, named, storage, tensor

from MedSegFMLib.errors import WeightsError
from MedSegFMLib.models.common.state_dict import read_state_dict
from MedSegFMLib.weights.torch_file import check_torch_file

KINDS = sorted(forged.hostile_calls(""))


def read(path: Path, content: bytes) -> dict[str, torch.Tensor]:
    path.write_bytes(content)
    return read_state_dict(path, ("model",), "give another")


def refused(path: Path, content: bytes) -> str:
    with pytest.raises(WeightsError) as caught:
        read(path, content)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_an_archive_as_these_tests_forge_it_is_read(tmp_path: Path) -> None:
    state = read(tmp_path / "w.pth", forged.archive(forged.pickled(tensor())))
    assert torch.equal(state["w"], torch.zeros(2, 3))


@pytest.mark.parametrize("kind", ["global", "system", "stack global", "inst", "obj"])
def test_the_forged_pickles_would_run_code(kind: str, tmp_path: Path) -> None:
    pickle.loads(forged.hostile_calls(str(tmp_path / "ran"))[kind])
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_that_calls_something_is_refused(kind: str, packed: bool, tmp_path: Path) -> None:
    data = forged.hostile_calls(str(tmp_path / "ran"))[kind]
    refused(tmp_path / "w.pth", forged.archive(data) if packed else data)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_a_forged_type_of_numpy_is_never_made(module: str, tmp_path: Path) -> None:
    dtype = called(named("numpy", "dtype"), "O8", 0, 1)
    dtype = forged.built(dtype, (3, "|", None, None, None, -1, -1, 63))
    scalar = called(named(module, "scalar"), dtype, b"\x01\x02\x03\x04\x05\x06\x07\x08")
    assert "other than a network's tensors" in refused(
        tmp_path / "w.pth", forged.archive(forged.pickled(scalar))
    )


@pytest.mark.parametrize(
    "forgery",
    [
        tensor(size=(1000, 3)),
        tensor(offset=5),
        tensor(offset=-1),
        tensor(stride=(-3, 1)),
        tensor(stride=(2**62, 1)),
        tensor(size=(-1, 3)),
        tensor(size=(2**40, 2**40)),
        tensor(size=(2, 3), stride=(1,)),
        tensor(storage(numel=2**40)),
        tensor(storage(numel=-1)),
        tensor(storage(numel=7)),
        tensor(storage("1")),
        tensor(storage("../../w")),
        tensor(storage(kind="NoStorage")),
        called(named("builtins", "bytearray"), 2**60),
        called(named("torch", "FloatTensor"), 2**20, 2**30),
        called(
            named("torch._utils", "_rebuild_meta_tensor_no_storage"),
            *(named("torch", "float32"), (2, 3), (3, 1), False),
        ),
    ],
)
def test_a_tensor_that_does_not_fit_its_storage_is_refused(
    forgery: forged.Raw, tmp_path: Path
) -> None:
    refused(tmp_path / "w.pth", forged.archive(forged.pickled(forgery)))


def test_an_archive_within_an_archive_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "w.pth", forged.archive(forged.archive(forged.pickled(tensor()))))


def test_an_archive_that_unpacks_to_much_more_is_refused(tmp_path: Path) -> None:
    bomb = forged.archive(forged.pickled(tensor()), {"data/1": bytes(10**7)}, zipfile.ZIP_DEFLATED)
    assert "unpacks to" in refused(tmp_path / "w.pth", bomb)


def test_a_cut_archive_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = forged.archive(forged.pickled(tensor()))
    for kept in range(0, len(whole), 37):
        refused(tmp_path / "w.pth", whole[:kept])


def test_the_old_format_is_read_but_not_when_it_is_cut(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"w": torch.ones(2, 3)}, stream, _use_new_zipfile_serialization=False)
    whole = stream.getvalue()
    assert torch.equal(read(tmp_path / "w.pth", whole)["w"], torch.ones(2, 3))
    for kept in range(0, len(whole), 29):
        refused(tmp_path / "w.pth", whole[:kept])


def test_a_pickle_that_is_nested_deeply_is_refused(tmp_path: Path) -> None:
    for code in (b"]", b"(", b"}", b")\x85"):
        refused(tmp_path / "w.pth", forged.archive(forged.PROTOCOL + code * 50_000))


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    with pytest.raises(WeightsError, match="does not exist"):
        check_torch_file(tmp_path / "a")
