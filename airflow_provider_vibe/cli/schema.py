"""`airflow vibe schema`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from airflow_provider_vibe.cli.exits import errors_told
from airflow_provider_vibe.cli.plan_schema import as_file, plan_schema
from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.settings import Settings


def schema(args: Namespace) -> None:
    """Print the JSON Schema of a plan file, with the tools of this installation, or write it to a file.

    :param args: ``output``.
    """
    with errors_told("schema"):
        settings = Settings.from_airflow()
        tools, limits = settings.tools, settings.rules.limits
        text = as_file(plan_schema((tools[name] for name in tools.names), limits.max_id_length))
        if args.output is None:
            sys.stdout.write(text)
            return
        try:
            Path(args.output).write_text(text, "utf-8")
        except OSError as error:
            raise VibeError(f"cannot write {args.output}: {error.strerror}") from None
        print(f"wrote {args.output}")
