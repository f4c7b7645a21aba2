"""`airflow vibe diff`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from airflow_provider_vibe.cli.exits import CANNOT, errors_told
from airflow_provider_vibe.plan.problems import format_problems
from airflow_provider_vibe.plan.reading import examine_file
from airflow_provider_vibe.replan.diff import diff_plans
from airflow_provider_vibe.replan.rendering import as_text
from airflow_provider_vibe.settings import Settings

SAME, DIFFER = 0, 1


def diff(args: Namespace) -> None:
    """Print what the second plan says differently from the first, and exit.

    :param args: ``old``, ``new`` and ``format``.
    """
    with errors_told("diff"):
        # who compares two plans may have their tools on another machine only
        rules = replace(Settings.from_airflow().rules, tools=None, simulate_missing=True)
        readings = [examine_file(Path(path), rules) for path in (args.old, args.new)]
        plans = [reading.plan for reading in readings if reading.plan is not None]
        if len(plans) < len(readings):
            problems = [
                problem for reading in readings if reading.plan is None for problem in reading.problems
            ]
            print(format_problems(problems), file=sys.stderr)
            sys.exit(CANNOT)
        found = diff_plans(*plans)
        if args.format == "json":
            print(json.dumps(found.as_json(), indent=2))
        else:
            headline = "the plans say the same" if found.is_empty else ""
            print("\n".join(filter(None, (headline, as_text(found)))))
        sys.exit(SAME if found.is_empty else DIFFER)
