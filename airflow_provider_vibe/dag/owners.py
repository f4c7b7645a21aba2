"""Which plan has an id that several claim."""

from __future__ import annotations

from airflow_provider_vibe.plan.problems import Place, Problem, ProblemCode, quoted


class Owners:
    """The first file that says an id, by path, has it; even when it is broken, so that no other slips in.

    :param kind: what the ids are of, for messages.
    """

    def __init__(self, kind: str = "") -> None:
        self._kind = kind
        self._first: dict[str, str] = {}

    def claim(self, plan_id: str | None, file: str) -> Problem | None:
        """What is wrong with a claim, when another file has the id.

        :param plan_id: the id; None claims nothing.
        :param file: the file that says it has it.
        """
        if plan_id is None or (owner := self._first.setdefault(plan_id, file)) == file:
            return None
        message = f"{self._kind} {quoted(plan_id)} is already the plan in {owner}".lstrip()
        return Problem(ProblemCode.DUPLICATE_PLAN, message, Place(("id",), file=file), "give it another id")
