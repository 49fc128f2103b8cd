"""`medsegfm weights`: manage the weights on this computer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelError, OutputError
from ..models.importing import asked_for, completed, import_weights
from ..registry import MODELS
from ..weights import catalogue, installing, store
from .console import print_table, progress_bar

if TYPE_CHECKING:
    from ..models.phantom_trial import PhantomTrial

SUMMARY = "list, fetch, import, try, verify, remove or merge the weights of models"
EXAMPLES = """\
examples:
  medsegfm weights list
  medsegfm weights import sam sam_vit_b_01ec64.pth"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of the command and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="list the known weights and their state")
    fetching = actions.add_parser("fetch", help="download the published weights of a model")
    fetching.add_argument("model")
    fetching.add_argument(
        "--accept-licence",
        action="store_true",
        help="accept the licence of these weights, which you have read",
    )
    importing = actions.add_parser(
        "import", help="install a file or folder as the weights of a model"
    )
    importing.add_argument("model")
    importing.add_argument("path", metavar="FILE", help="weights file, or a folder for some models")
    importing.add_argument("--sha256", help="SHA-256 stated by the publisher")
    _add_options(importing, "that holds whenever these weights are used")
    importing.add_argument(
        "--tokenizer",
        metavar="PATH",
        help="folder or file of the tokenizer of medical-sam3, which is copied along (default: "
        "beside FILE)",
    )
    trying = actions.add_parser("try", help="load weights and segment a phantom with them once")
    trying.add_argument("model")
    trying.add_argument("path", metavar="FILE", help="weights file or folder, as for import")
    _add_options(trying, "for the trial")
    merging = actions.add_parser("merge", help="merge an adapter into the SAM it was trained for")
    merging.add_argument("adapter", help="the adapter's folder, or the file of its tensors")
    merging.add_argument("--base", help="file of the SAM (default: the installed one)")
    merging.add_argument(
        "--out", required=True, help=".safetensors file to write, for sam or medsam"
    )
    for action, text in (
        ("verify", "check that the weights are unchanged"),
        ("remove", "delete the imported or downloaded weights of a model"),
    ):
        actions.add_parser(action, help=text).add_argument("model")


def run(arguments: argparse.Namespace) -> None:
    """Run the action and print its result."""
    name = getattr(arguments, "model", "")
    if arguments.action == "list":
        _list()
    elif arguments.action == "merge":
        _merge(Path(arguments.adapter), arguments.base, Path(arguments.out))
    elif arguments.action == "fetch":
        _fetch(name, arguments.accept_licence)
    elif arguments.action == "import":
        _import(name, Path(arguments.path), arguments)
    elif arguments.action == "try":
        path = Path(arguments.path)
        _try(name, path, completed(name, path, _options(arguments.option)))
    elif arguments.action == "verify":
        path = store.find(name)
        store.verify_recorded(path)
        print(f"{path} is unchanged since it was published or imported.")
    else:
        installing.remove(name)
        restored = "; the shipped ones are used again" if store.shipped(name) else ""
        print(f"Removed the weights of {name}{restored}.")


def _add_options(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the file does not say, such as classes=liver,spleen of sam3d: an option of the "
        f"model {purpose}; can be repeated",
    )


def _import(name: str, path: Path, arguments: argparse.Namespace) -> None:
    options = _options(arguments.option)
    if arguments.tokenizer is not None:
        options["tokenizer"] = arguments.tokenizer
    options = completed(name, path, options)
    trial = _trial(options)
    with progress_bar(f"weights of {name}") as progress:
        installed = import_weights(name, path, options, trial, progress, arguments.sha256)
    replaces = " and replace the shipped ones" if store.shipped(name) else ""
    print(f"The weights of {name} are now {installed}{replaces}.")
    _print_left_out(trial)
    unknown = [o.name for o in asked_for(name, path) if o.name not in options]
    if unknown:
        print(
            f"They do not say {', '.join(unknown)}: the model's defaults hold, if it has any; to "
            "record others, import the weights again with --option NAME=VALUE."
        )


def _fetch(name: str, accept_licence: bool) -> None:
    # Imported here: network code would slow down the start of every other command.
    from ..weights.fetch import fetch

    trial = _trial()
    with progress_bar(f"weights of {name}") as progress:
        path = fetch(name, accept_licence, progress, trial)
    print(f"The weights of {name} are {path}, licence {catalogue.entry(name).licence}.")
    _print_left_out(trial)


def _options(given: list[str]) -> dict[str, str]:
    """The options as they are given.

    Raises:
        ModelError: one is not NAME=VALUE.
    """
    options = {}
    for text in given:
        option, equals, value = text.partition("=")
        if not (option and equals and value):
            raise ModelError(f"--option {text} is not NAME=VALUE; write it like patch=160.")
        options[option] = value
    return options


def _trial(options: Mapping[str, str] | None = None) -> PhantomTrial:
    # Imported here: the models would slow down the start of every other command.
    from ..models.phantom_trial import PhantomTrial

    return PhantomTrial(options)


def _try(name: str, path: Path, options: Mapping[str, str]) -> None:
    trial, entry = _trial(options), catalogue.entry(name)
    with progress_bar(f"weights of {name}") as progress:
        trial(entry.name, path, progress)
    print(trial.left_out or f"{path} was loaded and run on a phantom.")


def _print_left_out(trial: PhantomTrial) -> None:
    if trial.left_out:
        print(trial.left_out)


def _merge(adapter: Path, base: str | None, out: Path) -> None:
    # Imported here: they need torch.
    from ..models.sam import lora_file
    from ..models.sam import weights as sam_weights

    if out.suffix.lower() != ".safetensors":
        raise OutputError(f"{out} has an unsupported ending; use .safetensors.")
    network = lora_file.load(adapter, None if base is None else Path(base))
    sam_weights.save(network, out)
    facts = lora_file.read_facts(adapter)
    model = facts.prepared if facts.prepared in MODELS else "sam"
    print(
        f"{out} is the adapted SAM; use it with --model {model} --weights {out} "
        f"--option size={facts.size}."
    )


def _list() -> None:
    installed = {item.name: item for item in store.installed()}
    rows = []
    for name, entry in catalogue.entries().items():
        item = installed.get(name)
        licence = entry.licence if entry.permissive else f"{entry.licence} (must be accepted)"
        place, size = "", entry.bytes
        if item is not None:
            place, size = item.fault or str(item.path), item.bytes
        rows.append([name, licence, _state(entry, item), _megabytes(size), place])
    print_table(["model", "licence of the weights", "state", "size", "location"], rows)
    print(f"Your own weights are in {store.folder()}; set MEDSEGFM_WEIGHTS to use another folder.")


def _state(entry: catalogue.Entry, item: store.Installed | None) -> str:
    if item is None:
        if entry.page is not None:
            return f"must be imported from {entry.page}"
        if entry.recipe is not None:
            return f"must be trained with medsegfm train {entry.recipe}"
        return "can be fetched" if entry.is_published else "not published yet"
    if item.fault is not None:
        return "damaged"
    if item.shipped:
        return "shipped"
    if not entry.accepted:
        return "imported"
    return "published" if item.sha256 in entry.accepted else "your own"


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"
