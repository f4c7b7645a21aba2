"""`airflow vibe lint`."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from airflow_provider_vibe.cli.exits import CANNOT, errors_told, logs_on_stderr
from airflow_provider_vibe.cli.github import github_annotations
from airflow_provider_vibe.dag.loader import plan_files, translate_all
from airflow_provider_vibe.dag.translator import configured_translator
from airflow_provider_vibe.plan.problems import Problem, ProblemCode, VibeError, format_problems, quoted

CLEAN, PROBLEMS, CANNOT_READ = 0, 1, CANNOT

NOTATIONS = (".json", ".yaml", ".yml")


class CannotLint(VibeError):
    """A path that leads to no plan."""


def lint(args: Namespace) -> None:
    """Print every problem of every plan below the paths given, and exit.

    :param args: ``paths`` and ``format``.
    """
    with errors_told("lint"):
        with logs_on_stderr():
            translator = configured_translator()
            paths = _plans_in(args.paths)
            problems = [problem for each in translate_all(paths, translator) for problem in each.problems]
        print(_FORMATS[args.format](problems) or f"{len(paths)} plan{'s'[: len(paths) > 1]}, no problems")
    sys.exit(_exit_code(problems))


def _plans_in(given: list[str]) -> list[Path]:
    """The plan files at the paths given and below them, each once, by the first name it was given.

    :raises CannotLint: a path that leads to no plan, or none that does.
    """
    if missing := [path for path in given if not os.path.exists(path)]:
        raise CannotLint(f"there is no {', '.join(map(quoted, missing))}")
    found: dict[str, Path] = {}
    for path in map(Path, given):
        if not path.is_dir() and not path.name.endswith(NOTATIONS):
            raise CannotLint(f"{path} is no plan file (*.vibe.json, *.vibe.yaml, *.vibe.yml)")
        for plan in plan_files(path) if path.is_dir() else [path]:
            found.setdefault(os.path.join(os.path.realpath(plan.parent), plan.name), plan)
    if not found:
        raise CannotLint(f"no plan files (*.vibe.json, *.vibe.yaml, *.vibe.yml) in {', '.join(given)}")
    return list(found.values())


def _as_json(problems: list[Problem]) -> str:
    return json.dumps([problem.as_json() for problem in problems], indent=2)


_FORMATS: dict[str, Callable[[list[Problem]], str]] = {
    "text": format_problems,
    "json": _as_json,
    "github": github_annotations,
}


def _exit_code(problems: list[Problem]) -> int:
    if any(problem.code is ProblemCode.UNREADABLE for problem in problems):
        return CANNOT_READ
    return PROBLEMS if any(not problem.is_warning for problem in problems) else CLEAN
