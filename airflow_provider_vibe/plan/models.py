"""Vibe, WorkflowNode, WorkflowPlan: the shape of a plan file.

These models are the one declaration of the format: validation, the JSON Schema and the reference page come
from them. The text below a field is its description in the schema, which reads it from here
(`field_texts`): pydantic's `use_attribute_docstrings` would read the source whenever a plan is parsed,
which takes ten times as long as the rest of this module. They are vibe-aigc 0.7.1's own (`models.py`),
strict, frozen, and with what a scheduler needs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

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


class OnFail(StrEnum):
    """What becomes of a node whose output does not pass its checks."""

    SUGGEST = "suggest"
    RETRY = "retry"
    FAIL = "fail"


class ReplanMode(StrEnum):
    """What a run's suggestions to replan lead to."""

    OFF = "off"
    PROPOSE = "propose"
    APPROVE = "approve"
    AUTO = "auto"


def whole_seconds(value: Any) -> Any:
    """The durations the original coerces: ``"5"``, ``2.0`` and ``true``; anything else is left as it is."""
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value


def rubric_alone(value: Any) -> Any:
    """A judge of whom only the rubric is told may be written as that alone."""
    return {"rubric": value} if isinstance(value, str) else value


WholeSeconds = Annotated[int, BeforeValidator(whole_seconds)]
Seconds = Annotated[float, Field(ge=0, le=YEAR)]
Small = Annotated[int, Field(ge=0, le=1000)]
Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]
Texts = Annotated[tuple[str, ...], Field(strict=False)]
Phrase = Annotated[str, Field(min_length=1, pattern=r"\S")]
Phrases = Annotated[tuple[Phrase, ...], Field(strict=False, min_length=1)]


class PlanModel(BaseModel):
    """Frozen, strict, and closed but for keys that begin with ``x-``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"patternProperties": {f"^{EXTENSION_PREFIX}": True}},
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        from airflow_provider_vibe.plan.field_texts import texts_below_fields  # reads the source

        schema = handler(core_schema)
        properties, texts = handler.resolve_ref_schema(schema)["properties"], texts_below_fields(cls)
        for name, field in cls.model_fields.items():
            properties[field.alias or name]["description"] = texts[name]
        return schema

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


class Budget(PlanModel):
    """What a run of the plan may use; once one of these is used up, no further call of a model starts."""

    tokens: Positive | None = None
    """Tokens, sent and received."""
    cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """US dollars."""
    requests: Positive | None = None
    """Requests to models."""
    seconds: Annotated[float, Field(gt=0, le=YEAR)] | None = None
    """Seconds of work of all nodes together."""


class Replan(PlanModel):
    """Whether what a run has taught leads to a new revision of the plan, and who decides."""

    mode: Annotated[ReplanMode, Field(strict=False)] = ReplanMode.OFF
    """Nothing, a proposal to read, one to approve, or one applied by itself if it allows nothing new."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How many replans may follow one another from one run."""
    cooldown: Seconds = 600
    """Seconds between two replans of the plan."""


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


class Readability(PlanModel):
    """How easy a text is to read, as Flesch's reading ease: 100 is very easy, 60 plain, 30 hard."""

    min: float | None = None
    """The lowest reading ease."""
    max: float | None = None
    """The highest reading ease."""
    language: Literal["en", "de", "es", "fr", "it", "nl"] = "en"
    """The language of the text; each has a formula of its own."""


class Judge(PlanModel):
    """A model that reads the output and says how good it is."""

    rubric: Phrase
    """What a good output is; may hold references."""
    connection: str | None = None
    """The connection of the model; left out: `[vibe] llm_conn_id`."""
    model: str | None = None
    """The model; left out: that of the connection."""
    pass_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """The lowest score that passes, 0 to 1; left out: the judge says itself what passes."""


class QualityCheck(PlanModel):
    """One thing that the output of a node is held against: exactly one of the kinds, and its weight."""

    not_placeholder: Literal[True] | None = None
    """Work that is done: not empty, repeated, cut off, filler, a refusal, or the task told back."""
    min_words: Positive | None = None
    """The fewest words; each Chinese or Japanese character counts as a word."""
    max_words: Positive | None = None
    """The most words."""
    must_contain: Phrases | None = None
    """Phrases that must all occur, as whole words, in any case; may hold references."""
    must_not_contain: Phrases | None = None
    """Phrases of which none may occur; may hold references."""
    matches: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A regular expression that some part of the text must match."""
    json_schema: dict[str, Any] | None = None
    """A JSON Schema (2020-12) for the JSON in the text, or else for the output itself."""
    language: Phrase | None = None
    """The language of the text, ISO 639-1, e.g. "de"; may be a reference."""
    readability: Readability | None = None
    """How easy the text must be to read."""
    judge: Annotated[Judge | None, BeforeValidator(rubric_alone)] = None
    """A rubric by which a model judges the output, or an object that also names the model."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """How much it counts in the quality."""

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in CHECK_KINDS if getattr(self, kind) is not None)


CHECK_KINDS = tuple(name for name in QualityCheck.model_fields if name != "weight")
WITH_REFERENCES = ("must_contain", "must_not_contain", "language", "judge")
"""The kinds of checks whose texts may hold references."""


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
    checks: Annotated[tuple[QualityCheck, ...], Field(strict=False, max_length=50)] = ()
    """What its output is held against; tells its quality."""
    on_fail: Annotated[OnFail, Field(strict=False)] = OnFail.SUGGEST
    """What to do when a check fails: only suggest a replan, try again, or fail at once."""


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
    budget: Budget | None = None
    """What a run may use; left out: what it takes."""
    replan: Replan = Replan()
    """What becomes of suggestions to replan."""
    max_active_runs: Positive | None = None
    """How many runs of the plan may go on at once."""
    tags: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(strict=False)] = ()
    """Tags of the DAG."""
    root_nodes: Annotated[tuple[WorkflowNode, ...], Field(strict=False, min_length=1)]
    """The nodes at the top of the tree."""
