"""The graphs of ``shapes.py`` as a careful person writes them for Airflow, without this provider.

One small operator with one argument, the settings that a plan's nodes have too, TaskGroups for what is
nested, and a teardown behind all leaves. Edges are written the shortest way Airflow has: ``>>`` between two
tasks, ``cross_downstream`` between two layers, one list for the teardown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, TaskGroup, cross_downstream

from benchmarks.shapes import SECTION_SIZE, layers, step_id

RETRY_DELAY = timedelta(seconds=30)
TIMEOUT = timedelta(minutes=5)


class StepOperator(BaseOperator):
    """Does something with a text.

    :param text: the text. (templated)
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, *, text: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def execute(self, context: Any) -> Any:
        return {"text": self.text}


def chain(size: int) -> DAG:
    with _dag("chain") as dag:
        steps = [_step(step_id(index)) for index in range(size)]
        for before, after in pairwise(steps):
            before >> after
        _finish([steps[-1]])
    return dag


def wide(size: int) -> DAG:
    with _dag("wide") as dag:
        _finish([_step(step_id(index)) for index in range(size)])
    return dag


def dense(size: int) -> DAG:
    with _dag("dense") as dag:
        steps = [[_step(node_id) for node_id in layer] for layer in layers(size)]
        for before, after in pairwise(steps):
            cross_downstream(before, after)
        _finish(steps[-1])
    return dag


def joined(size: int) -> DAG:
    """``dense`` by someone who knows what its edges cost: a task that does nothing between two layers."""
    with _dag("joined") as dag:
        steps = [[_step(node_id) for node_id in layer] for layer in layers(size)]
        for number, (before, after) in enumerate(pairwise(steps)):
            before >> EmptyOperator(task_id=f"join-{number}") >> after
        _finish(steps[-1])
    return dag


def nested(size: int) -> DAG:
    with _dag("nested") as dag:
        ids = map(step_id, count())
        sections = [_section(f"s{index:x}", ids) for index in range(size // SECTION_SIZE)]
        for (_, close), (open_, _) in pairwise(sections):
            close >> open_
        last = sections[-1][1] if sections else _step(next(ids))
        for _ in range(size % SECTION_SIZE - (not sections)):
            step = _step(next(ids))
            last >> step
            last = step
        _finish([last])
    return dag


HANDWRITTEN = {"chain": chain, "wide": wide, "nested": nested, "dense": dense}

Ends = tuple[BaseOperator, BaseOperator]
"""The task that opens a group and the one that closes it."""


def _section(section_id: str, ids: Iterator[str]) -> Ends:
    with _group(section_id):
        opening = _open(section_id)
        first, second = (_chapter(f"{section_id}-{number}", ids) for number in (1, 2))
        opening >> first[0]
        first[1] >> second[0]
        closing = _step(section_id)
        second[1] >> closing
    return opening, closing


def _chapter(chapter_id: str, ids: Iterator[str]) -> Ends:
    with _group(chapter_id):
        opening = _open(chapter_id)
        paragraphs = [_paragraph(f"{chapter_id}-{number}", ids) for number in (1, 2)]
        opening >> [first for first, _ in paragraphs]
        closing = _step(chapter_id)
        [last for _, last in paragraphs] >> closing
    return opening, closing


def _paragraph(paragraph_id: str, ids: Iterator[str]) -> Ends:
    with _group(paragraph_id):
        opening = _open(paragraph_id)
        top, left, right, bottom = (_step(next(ids)) for _ in range(4))
        closing = _step(paragraph_id)
        opening >> top >> [left, right] >> bottom >> closing
    return opening, closing


def _dag(name: str) -> DAG:
    return DAG(f"{name}-by-hand", description=f"A DAG in the shape of {name}", schedule=None, tags=["bench"])


def _group(name: str) -> TaskGroup:
    return TaskGroup(f"{name}__group", tooltip=f"Part {name}", prefix_group_id=False)


def _open(name: str) -> EmptyOperator:
    return EmptyOperator(task_id=f"{name}__open")


def _step(task_id: str) -> StepOperator:
    return StepOperator(
        task_id=task_id,
        doc_md=f"Step {task_id}",
        text="After what was there before",
        retries=2,
        retry_delay=RETRY_DELAY,
        execution_timeout=TIMEOUT,
    )


def _finish(leaves: Sequence[BaseOperator]) -> None:
    list(leaves) >> StepOperator(task_id="vibe_feedback", text="What came of it").as_teardown()
