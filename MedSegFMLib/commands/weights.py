"""`medsegfm weights`: the weights on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import OutputError
from ..weights import catalogue, store
from .console import print_table, progress_bar

SUMMARY = "list, fetch, import, verify, remove or merge the weights of models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what is known and what is here")
    fetching = actions.add_parser("fetch", help="download the published weights of a model")
    fetching.add_argument("model")
    fetching.add_argument(
        "--accept-licence",
        action="store_true",
        help="I have read the licence of these weights and accept it",
    )
    importing = actions.add_parser("import", help="take a file or folder as the weights of a model")
    importing.add_argument("model")
    importing.add_argument("path", metavar="FILE", help="for some models a folder")
    importing.add_argument("--sha256", help="what its publisher says it must be")
    merging = actions.add_parser("merge", help="multiply an adapter into the SAM that it is of")
    merging.add_argument("adapter", help="its folder, or the file of its tensors")
    merging.add_argument("--base", help="the SAM's file; without it the installed one is taken")
    merging.add_argument("--out", required=True, help="a .safetensors file, for sam or medsam")
    for action, text in (
        ("verify", "check that the weights are still what they were"),
        ("remove", "delete the imported or downloaded weights of a model"),
    ):
        actions.add_parser(action, help=text).add_argument("model")


def run(arguments: argparse.Namespace) -> None:
    """Do what the action says and print what came of it."""
    name = getattr(arguments, "model", "")
    if arguments.action == "list":
        _list()
    elif arguments.action == "merge":
        _merge(Path(arguments.adapter), arguments.base, Path(arguments.out))
    elif arguments.action == "fetch":
        _fetch(name, arguments.accept_licence)
    elif arguments.action == "import":
        path = store.import_file(name, Path(arguments.path), arguments.sha256)
        instead = ", used instead of the shipped ones" if store.shipped(name) else ""
        print(f"The weights of {name} are now {path}{instead}.")
    elif arguments.action == "verify":
        path = store.find(name)
        store.verify_recorded(path)
        print(f"{path} is what it was when it was published or imported.")
    else:
        store.remove(name)
        back = "; the shipped ones are used again" if store.shipped(name) else ""
        print(f"The weights of {name} are removed{back}.")


def _fetch(name: str, accept_licence: bool) -> None:
    # Imported here: network code would slow down the start of every other command.
    from ..weights.fetch import fetch

    with progress_bar(f"weights of {name}") as progress:
        path = fetch(name, accept_licence, progress)
    print(f"The weights of {name} are {path}, licence {catalogue.entry(name).licence}.")


def _merge(adapter: Path, base: str | None, out: Path) -> None:
    # Imported here: they need torch.
    from ..models.sam import lora_file
    from ..models.sam import weights as sam_weights

    if out.suffix.lower() != ".safetensors":
        raise OutputError(f"{out} is no safetensors file's name; end it in .safetensors.")
    network = lora_file.load(adapter, None if base is None else Path(base))
    sam_weights.save(network, out)
    facts = lora_file.read_facts(adapter)
    print(
        f"{out} holds the adapted SAM; use it with --model {facts.prepared} --weights {out} "
        f"--option size={facts.size}."
    )


def _list() -> None:
    here = {item.name: item for item in store.installed()}
    rows = []
    for name, entry in catalogue.entries().items():
        item = here.get(name)
        licence = entry.licence if entry.permissive else f"{entry.licence} (to be accepted)"
        place, size = "", entry.bytes
        if item is not None:
            place, size = item.fault or str(item.path), item.bytes
        rows.append([name, licence, _state(entry, item), _megabytes(size), place])
    print_table(["model", "licence of the weights", "state", "size", "where"], rows)
    print(f"Your own weights lie in {store.folder()}; MEDSEGFM_WEIGHTS names another folder.")


def _state(entry: catalogue.Entry, item: store.Installed | None) -> str:
    if item is None:
        if entry.page is not None:
            return f"to be imported, from {entry.page}"
        if entry.recipe is not None:
            return f"to be trained, with medsegfm train {entry.recipe}"
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
