"""The configuration section ``[vibe]``, read once and handed on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from airflow_provider_vibe.get_provider_info import get_provider_info
from airflow_provider_vibe.plan.models import NodeType
from airflow_provider_vibe.plan.problems import VibeError, did_you_mean, quoted
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from airflow_provider_vibe.tools.registry import ToolRegistry, load_tools

SECTION = "vibe"


class SettingsError(VibeError):
    """An option of ``[vibe]`` has a value that makes no sense."""


@dataclass(frozen=True)
class Settings:
    """How plans are read and run on this machine.

    :param tools: every tool there is.
    :param rules: what plans are held against.
    :param default_retries: of a node whose plan says nothing.
    :param default_retry_delay: seconds, of a node whose plan says nothing.
    :param timeout_factor: times its estimated duration a node may take when it has no timeout.
    :param quality_threshold: below it the feedback suggests a replan.
    :param xcom_max_bytes: a result of more than that, as compact JSON, is kept as an artifact.
    :param llm_conn_id: the connection of a node that asks a model and names none.
    :param llm_pools: the pool of the nodes that ask a model, by connection.
    :param budget_reserve_tokens: set aside, where a plan has a budget, for an answer of no stated length.
    :param translator: import path of the class that derives a DAG's attributes.
    """

    tools: ToolRegistry = field(default_factory=load_tools)
    rules: PlanRules = field(default_factory=PlanRules)
    default_retries: int = 2
    default_retry_delay: float = 30.0
    timeout_factor: float = 10.0
    quality_threshold: float = 0.7
    xcom_max_bytes: int = 49152
    llm_conn_id: str = "vibe_llm"
    llm_pools: Mapping[str, str] = field(default_factory=dict)
    budget_reserve_tokens: int = 4_000
    translator: str = "airflow_provider_vibe.dag.translator.PlanTranslator"

    @classmethod
    def from_airflow(cls) -> Settings:
        """The settings of this Airflow installation.

        :raises SettingsError: an option with a value that makes no sense.
        :raises ToolError: a tool that cannot be loaded.
        """
        factories = (path.strip() for path in _option("tool_factories").split(","))
        tools = _tools(tuple(filter(None, factories)))
        rules = PlanRules(
            limits=Limits(**{limit.name: _number(limit.name, int) for limit in fields(Limits)}),
            tools=tools,
            default_tools=_default_tools(),
            simulate_missing=_choice("missing_tool", ("fail", "simulate")) == "simulate",
            default_tools_chosen=_option("default_tools") != _defaults()["default_tools"],
        )
        return cls(
            tools=tools,
            rules=rules,
            default_retries=_number("default_retries", int),
            default_retry_delay=_number("default_retry_delay", float),
            timeout_factor=_number("timeout_factor", float),
            quality_threshold=_number("quality_threshold", float, most=1.0),
            xcom_max_bytes=_number("xcom_max_bytes", int),
            llm_conn_id=_option("llm_conn_id"),
            llm_pools=_names("llm_pools", '{"vibe_llm": "vibe_llm"}'),
            budget_reserve_tokens=_number("budget_reserve_tokens", int),
            translator=_option("translator"),
        )


@cache
def _tools(factories: tuple[str, ...]) -> ToolRegistry:
    """Loaded once in a process: looking for entry points reads the metadata of every installed package."""
    return load_tools(factories)


def _option(name: str) -> str:
    from airflow.sdk.configuration import conf

    return str(conf.get(SECTION, name, fallback=_defaults()[name]))


@cache
def _defaults() -> dict[str, str]:
    options = get_provider_info()["config"][SECTION]["options"]
    return {name: option["default"] for name, option in options.items()}


def _number(name: str, kind: type, most: float | None = None) -> Any:
    written = _option(name)
    try:
        number = kind(written)
    except ValueError:
        raise SettingsError(f"[{SECTION}] {name} should be a number, not {quoted(written)}") from None
    if not 0 <= number < math.inf:
        raise SettingsError(f"[{SECTION}] {name} should be finite and not below 0, it is {number}")
    if most is not None and number > most:
        raise SettingsError(f"[{SECTION}] {name} should be at most {most:g}, it is {number}")
    return number


def _choice(name: str, choices: tuple[str, ...]) -> str:
    written = _option(name)
    if written not in choices:
        hint = did_you_mean(written, choices) or f"one of {', '.join(choices)}"
        raise SettingsError(f"[{SECTION}] {name} should not be {quoted(written)} ({hint})")
    return written


def _names(name: str, example: str) -> dict[str, str]:
    """An option that gives names by names, as JSON."""
    try:
        names = json.loads(_option(name) or "{}")
    except ValueError as error:
        raise SettingsError(f"[{SECTION}] {name} is no JSON: {error}") from None
    if not isinstance(names, dict) or not all(isinstance(value, str) for value in names.values()):
        raise SettingsError(f"[{SECTION}] {name} should be like {example}")
    return names


def _default_tools() -> dict[str, str]:
    tools = _names("default_tools", '{"generate": "llm_generate"}')
    types = {str(node_type) for node_type in NodeType} - {NodeType.COMPOSITE}
    if unknown := sorted(set(tools) - types):
        hint = did_you_mean(unknown[0], types) or f"one of {', '.join(sorted(types))}"
        raise SettingsError(f"[{SECTION}] default_tools: no node is of type {quoted(unknown[0])} ({hint})")
    return tools
