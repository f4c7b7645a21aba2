"""`airflow vibe new`."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from pathlib import Path

from airflow_provider_vibe.cli.exits import errors_told
from airflow_provider_vibe.cli.starter import STARTER
from airflow_provider_vibe.plan.identity import airflow_id
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.plan.reading import PLAN_SUFFIXES

WORDS_OF_YAML = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class NewPlanError(VibeError):
    """A plan file that cannot be made."""


def new(args: Namespace) -> None:
    """Write a plan to start from, say what to do with it, and exit.

    :param args: ``name`` and ``folder``.
    """
    with errors_told("new"):
        path = write_starter(args.name, Path(args.folder))
    print(f"wrote {path}\n\n  airflow vibe lint {path}\n  airflow vibe run {path}")
    sys.exit(0)


def write_starter(name: str, folder: Path) -> Path:
    """Write a commented plan that runs as it is, and give its path.

    :param name: the id of the plan, and the name of its file.
    :param folder: where the file goes.
    :raises NewPlanError: a name that is no good, a folder that is not there, a file that is.
    """
    for suffix in PLAN_SUFFIXES:
        name = name.removesuffix(suffix)
    if not _NAME.fullmatch(name):
        better = airflow_id(name).rpartition("-")[0].strip(".-") or "my-plan"
        raise NewPlanError(
            f"{quoted(name)} is no name for a plan: letters, digits, '_', '.' and '-', up to 100"
            f" (like {quoted(better)})"
        )
    if not folder.is_dir():
        raise NewPlanError(f"there is no folder {folder} (mkdir -p {folder})")
    for suffix in PLAN_SUFFIXES:
        if (folder / f"{name}{suffix}").exists():
            raise NewPlanError(f"{folder / f'{name}{suffix}'} is already there; it stays as it is")
    path = folder / f"{name}.vibe.yaml"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.replace("QUOTED", _as_yaml(name)).replace("NAME", name))
    except OSError as error:
        raise NewPlanError(f"cannot write {path}: {error.strerror}") from None
    return path


def _as_yaml(name: str) -> str:
    """A name that no YAML takes for a number, or for true, false or null, as YAML 1.1 does some words."""
    is_plain = name[0].isalpha() and name.lower() not in WORDS_OF_YAML
    return name if is_plain else f'"{name}"'
