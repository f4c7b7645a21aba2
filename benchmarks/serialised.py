"""How large a DAG is in Airflow's database."""

from __future__ import annotations

import json

from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_vibe.dag.translator import configured_translator
from benchmarks.build import builder
from benchmarks.handwritten import HANDWRITTEN
from benchmarks.report import Report
from benchmarks.shapes import SHAPES


def measure(rounds: int, *, quick: bool) -> list[Report]:
    """Serialise every shape once; the size is always the same.

    :param rounds: no difference.
    :param quick: a small size.
    """
    size = 60 if quick else 1_000
    translator = configured_translator()
    rows = []
    for shape, content in SHAPES.items():
        ours = serialised_bytes(builder(content(size), "json", translator)()) / size
        by_hand = serialised_bytes(HANDWRITTEN[shape](size)) / size
        rows.append([f"{shape} {size:,}", f"{ours:,.0f}", f"{by_hand:,.0f}", f"{ours / by_hand:.2f}"])
    columns = ("DAG", "ours, bytes a node", "by hand, bytes a node", "ratio")
    return [Report("serialised: what Airflow keeps of a DAG", columns, rows)]


def serialised_bytes(dag: DAG) -> int:
    """Bytes of the JSON that Airflow keeps of *dag*.

    :param dag: a DAG of a plan, or one by hand.
    """
    return len(json.dumps(DagSerialization.to_dict(dag)).encode())
