"""``python -m benchmarks``: measure, and print what was found."""

from __future__ import annotations

import argparse
from importlib import import_module

from rich.console import Console

from benchmarks.airflow_home import use_own_airflow_home
from benchmarks.report import environment, print_report

MEASUREMENTS = ("build", "imports", "overhead", "serialised", "folders")
WIDTH = 130


def main() -> None:
    """Measure what was asked for."""
    options = _options()
    use_own_airflow_home()
    console = Console(width=WIDTH, highlight=False)
    for name in options.only or MEASUREMENTS:
        measurement = import_module(f"benchmarks.{name}")
        further = {"with_others": options.with_others} if name == "folders" else {}
        for report in measurement.measure(options.repeat, quick=options.quick, **further):
            print_report(report, console, markdown=options.markdown)
    console.print(environment(options.repeat), markup=False, soft_wrap=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this one; may be given again")
    parser.add_argument(
        "--repeat", type=int, metavar="N", help="rounds, of which the median counts (default: 5)"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: does it run at all?")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for README.md")
    others = "folders: install other libraries in an environment of their own, and measure them too"
    parser.add_argument("--with-others", action="store_true", help=others)
    options = parser.parse_args()
    options.repeat = options.repeat or (1 if options.quick else 5)
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


if __name__ == "__main__":
    main()
