"""`medsegfm weights`: the weights on this computer."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..weights import catalogue, store
from .console import print_table

SUMMARY = "list, import, verify or remove the weights of models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="what is known and what is here")
    importing = actions.add_parser("import", help="take a file as the weights of a model")
    importing.add_argument("model")
    importing.add_argument("file")
    importing.add_argument("--sha256", help="what its publisher says it must be")
    for action, text in (
        ("verify", "check that the weights are still what they were"),
        ("remove", "delete the imported weights of a model"),
    ):
        actions.add_parser(action, help=text).add_argument("model")


def run(arguments: argparse.Namespace) -> None:
    """Do what the action says and print what came of it."""
    if arguments.action == "list":
        _list()
    elif arguments.action == "import":
        path = store.import_file(arguments.model, Path(arguments.file), arguments.sha256)
        print(f"The weights of {arguments.model} are now {path}.")
    elif arguments.action == "verify":
        path = store.find(arguments.model)
        store.verify_recorded(path)
        print(f"{path} is what it was when it was published or imported.")
    else:
        store.remove(arguments.model)
        print(f"The weights of {arguments.model} are removed.")


def _list() -> None:
    here = {item.name: item for item in store.installed()}
    rows = []
    for name, entry in catalogue.entries().items():
        item = here.get(name)
        place = "not installed" if item is None else item.fault or str(item.path)
        size = "" if item is None else f"{item.bytes / 1e6:.1f} MB"
        rows.append([name, entry.licence, place, size])
    print_table(["model", "licence of the weights", "where", "size"], rows)
    print(f"Imported weights lie in {store.folder()}; MEDSEGFM_WEIGHTS names another folder.")
