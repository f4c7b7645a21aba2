"""What an editor proposes for the fields of a plan, by model and field."""

from __future__ import annotations

from typing import Any

from airflow_provider_vibe.plan.launch_checks import CRON_PRESETS

EXAMPLES: dict[str, dict[str, list[Any]]] = {
    "WorkflowPlan": {
        "$schema": ["./vibe-plan.schema.json"],
        "id": ["weekly-newsletter"],
        "estimated_total_duration": [120],
        "created_at": ["2026-11-01T09:00:00Z"],
        "params": [{"topic": {"type": "string", "default": "tea", "description": "What to write about"}}],
        "max_active_runs": [1],
        "tags": [["newsletter"]],
    },
    "Vibe": {
        "description": ["A weekly newsletter on ${params.topic}"],
        "style": ["warm, factual"],
        "constraints": [["under 600 words"]],
        "domain": ["text", "image", "audio", "video"],
    },
    "Schedule": {
        "cron": ["0 7 * * 1", *CRON_PRESETS],
        "every": ["PT6H", "P1D"],
        "at": [["2026-12-24T18:00"]],
        "assets": [["s3://bucket/notes.md"]],
        "timezone": ["Europe/Berlin", "UTC"],
        "start_date": ["2026-01-05"],
    },
    "Budget": {
        "tokens": [100_000],
        "cost": [0.5],
        "requests": [20],
        "seconds": [600],
    },
    "Replan": {
        "mode": ["approve", "propose", "auto", "off"],
        "max_attempts": [3],
        "cooldown": [600],
    },
    "RunSettings": {
        "retries": [2],
        "retry_delay": [30],
        "timeout": [600],
        "pool": ["default_pool"],
    },
    "QualityCheck": {
        "not_placeholder": [True],
        "min_words": [80],
        "max_words": [600],
        "must_contain": [["${params.topic}"]],
        "must_not_contain": [["game-changing"]],
        "matches": ["(?m)^# "],
        "json_schema": [{"type": "object", "required": ["title"]}],
        "language": ["en", "de", "fr", "es"],
        "readability": [{"min": 60}],
        "judge": ["Every claim is backed by a number", {"rubric": "Funny", "pass_score": 0.7}],
        "weight": [2],
    },
    "Readability": {"min": [60], "max": [90], "language": ["en"]},
    "Judge": {
        "rubric": ["Every claim is backed by a number"],
        "connection": ["vibe_llm"],
        "model": ["openai:gpt-5"],
        "pass_score": [0.7],
    },
    "WorkflowNode": {
        "id": ["research"],
        "description": ["Collect facts on ${params.topic}"],
        "parameters": [{"tool": "keywords", "tool_inputs": {"text": "${params.notes}"}}],
        "dependencies": [["research"]],
        "estimated_duration": [30],
        "checks": [[{"not_placeholder": True}, {"min_words": 80}, {"must_contain": ["${params.topic}"]}]],
        "on_fail": ["suggest", "retry", "fail"],
    },
}

_TYPES = ["string", "integer", "number", "boolean", "array", "object", "null"]

PARAM: dict[str, Any] = {
    "title": "Parameter",
    "description": "A JSON Schema (2020-12) of the values it may have.",
    "type": "object",
    "properties": {
        "type": {
            "description": "What kind of value it is.",
            "anyOf": [{"enum": _TYPES}, {"type": "array", "items": {"enum": _TYPES}}],
        },
        "default": {"description": "Its value when a run gives none; a scheduled plan needs one."},
        "title": {"type": "string", "description": "What the form calls it."},
        "description": {"type": "string", "description": "What the form says of it."},
        "enum": {"type": "array", "description": "The values it may have."},
        "format": {
            "type": "string",
            "description": "How the form asks for a text.",
            "examples": ["multiline", "date", "date-time", "time"],
        },
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "minLength": {"type": "integer", "minimum": 0},
        "maxLength": {"type": "integer", "minimum": 0},
    },
}
"""Some of what a schema may say, so that an editor proposes it; it may say more."""
