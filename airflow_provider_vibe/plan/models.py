"""Vibe, WorkflowNode, WorkflowPlan: the shape of a plan file.

These models are the one declaration of the format: validation, the JSON Schema and the reference page come
from them. The text below a field is its description in the schema, which reads it from here
(`cli.plan_schema`): pydantic's `use_attribute_docstrings` would read the source whenever a plan is parsed,
which takes ten times as long as the rest of this module. They are vibe-aigc 0.7.1's own (`models.py`),
strict, frozen, and with what a scheduler needs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

EXTENSION_PREFIX = "x-"
"""Keys that begin so are a user's own notes: allowed anywhere, read by nobody."""

YEAR = 366 * 24 * 60 * 60
"""Seconds; no duration a scheduler is given may be longer."""


class NodeType(StrEnum):
    """What kind of work a node is."""

    ANALYZE = "analyze"
    GENERATE = "generate"
    TRANSFORM = "transform"
    VALIDATE = "validate"
    COMPOSITE = "composite"


def whole_seconds(value: Any) -> Any:
    """The durations the original coerces: ``"5"``, ``2.0`` and ``true``; anything else is left as it is."""
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value


WholeSeconds = Annotated[int, BeforeValidator(whole_seconds)]
Seconds = Annotated[float, Field(ge=0, le=YEAR)]
Small = Annotated[int, Field(ge=0, le=1000)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]


class PlanModel(BaseModel):
    """Frozen, strict, and closed but for keys that begin with ``x-``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"patternProperties": {f"^{EXTENSION_PREFIX}": True}},
    )

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, data: Any) -> Any:
        if isinstance(data, dict) and any(str(key).startswith(EXTENSION_PREFIX) for key in data):
            return {key: value for key, value in data.items() if not str(key).startswith(EXTENSION_PREFIX)}
        return data


class Vibe(PlanModel):
    """A creative intent: what is wanted, in which manner."""

    description: str
    """What is wanted."""
    style: str | None = None
    """How it should feel, e.g. "warm, factual"."""
    constraints: Texts = ()
    """What it must keep to, e.g. "under 600 words"."""
    domain: str | None = None
    """The field of work, e.g. "text" or "video"."""
    metadata: dict[str, Any] = {}
    """Anything else; data only."""


class RunSettings(PlanModel):
    """How Airflow runs a node; what is left out comes from `defaults`, then from the configuration."""

    retries: Small | None = None
    """How often a failed node is tried again."""
    retry_delay: Seconds | None = None
    """Seconds before the first retry; grows exponentially."""
    timeout: Annotated[float, Field(gt=0, le=YEAR)] | None = None
    """Seconds one attempt may take."""
    pool: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The Airflow pool the node takes a slot of."""


class Schedule(PlanModel):
    """When a plan runs by itself: one of `cron`, `every`, `at` and `assets`."""

    cron: str | None = None
    """A cron expression of five fields, or a preset such as "@weekly"."""
    every: str | None = None
    """An ISO 8601 duration, e.g. "PT6H"."""
    at: Texts | None = None
    """The dates and times of each run, ISO 8601."""
    assets: Texts | None = None
    """URIs of the assets that must all be updated."""
    timezone: str = "UTC"
    """An IANA time zone, e.g. "Europe/Berlin"."""
    start_date: str | None = None
    """The first day the plan may run, ISO 8601, in `timezone`."""
    catchup: bool = False
    """Whether the runs missed since `start_date` are made up for."""


class WorkflowNode(PlanModel):
    """One piece of work, or a composite of several."""

    id: str
    """Unique in the whole plan; becomes the task id."""
    type: Annotated[NodeType, Field(strict=False)]
    """What kind of work it is."""
    description: str
    """What is to be done; may hold references."""
    parameters: dict[str, Any] = {}
    """Free JSON; `tool` names a registered tool, `tool_inputs` are its inputs."""
    dependencies: Texts = ()
    """Ids of the nodes that must be done first, anywhere in the plan."""
    children: Annotated[tuple[WorkflowNode, ...], Field(strict=False)] = ()
    """The nodes this one holds."""
    estimated_duration: WholeSeconds | None = None
    """Seconds it is expected to take; below 0 means unknown."""
    run: RunSettings = RunSettings()
    """How Airflow runs it."""


class WorkflowPlan(PlanModel):
    """A vibe broken down into nodes, with what a scheduler needs."""

    schema_uri: Annotated[str | None, Field(alias="$schema")] = None
    """The JSON Schema an editor checks the file against."""
    id: str
    """Names the plan; becomes the DAG id."""
    source_vibe: Vibe
    """The intent behind it."""
    estimated_total_duration: WholeSeconds | None = None
    """Seconds the whole is expected to take."""
    created_at: str | None = None
    """When the plan was made; data only."""
    revision: Positive = 1
    """Grows with every applied replan."""
    schedule: Schedule | None = None
    """When the plan runs by itself; left out: only when triggered."""
    params: dict[str, dict[str, Any]] = {}
    """A JSON Schema for each parameter of a run; the form of "Trigger DAG"."""
    defaults: RunSettings = RunSettings()
    """How Airflow runs a node that does not say otherwise."""
    max_active_runs: Positive | None = None
    """How many runs of the plan may go on at once."""
    tags: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(strict=False)] = ()
    """Tags of the DAG."""
    root_nodes: Annotated[tuple[WorkflowNode, ...], Field(strict=False, min_length=1)]
    """The nodes at the top of the tree."""
