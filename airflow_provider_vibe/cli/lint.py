"""`airflow vibe lint`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from airflow_provider_vibe.cli.github import github_annotations
from airflow_provider_vibe.dag.loader import plan_files, translate_all
from airflow_provider_vibe.dag.translator import configured_translator
from airflow_provider_vibe.plan.problems import Problem, ProblemCode, VibeError, format_problems

CLEAN, PROBLEMS, CANNOT_READ = 0, 1, 2


def lint(args: Namespace) -> None:
    """Print every problem of every plan below the paths given, and exit.

    :param args: ``paths`` and ``format``.
    """
    missing = [path for path in args.paths if not Path(path).exists()]
    if missing:
        sys.exit(_say(f"there is no {', '.join(missing)}"))
    paths = [found for path in args.paths for found in _plans_at(Path(path))]
    if not paths:
        sys.exit(_say(f"no plan files (*.vibe.json, *.vibe.yaml, *.vibe.yml) in {', '.join(args.paths)}"))
    try:
        with _logs_on_stderr():
            translator = configured_translator()
    except VibeError as error:
        sys.exit(_say(str(error)))
    with _logs_on_stderr():
        problems = [problem for each in translate_all(paths, translator) for problem in each.problems]
    print(_FORMATS[args.format](problems) or f"{len(paths)} plan{'s'[: len(paths) > 1]}, no problems")
    sys.exit(_exit_code(problems))


@contextlib.contextmanager
def _logs_on_stderr() -> Iterator[None]:
    """Airflow logs to standard output, which is for the problems alone."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _as_json(problems: list[Problem]) -> str:
    return json.dumps([problem.as_json() for problem in problems], indent=2)


_FORMATS: dict[str, Callable[[list[Problem]], str]] = {
    "text": format_problems,
    "json": _as_json,
    "github": github_annotations,
}


def _plans_at(path: Path) -> list[Path]:
    return plan_files(path) if path.is_dir() else [path]


def _exit_code(problems: list[Problem]) -> int:
    if any(problem.code is ProblemCode.UNREADABLE for problem in problems):
        return CANNOT_READ
    return PROBLEMS if any(not problem.is_warning for problem in problems) else CLEAN


def _say(message: str) -> int:
    print(f"airflow vibe lint: {message}", file=sys.stderr)
    return CANNOT_READ
