"""The configuration section ``[vibe]``."""

from __future__ import annotations

from dataclasses import fields

import pytest

from airflow_provider_vibe.get_provider_info import get_provider_info
from airflow_provider_vibe.plan.rules import Limits
from airflow_provider_vibe.settings import Settings, SettingsError
from airflow_provider_vibe.tools import ToolError, ToolResult, tool

OPTIONS = get_provider_info()["config"]["vibe"]["options"]


@tool("from_a_factory")
async def from_a_factory() -> ToolResult:
    """Do nothing."""
    return ToolResult(True, None)


def make_tools():
    return [from_a_factory]


@pytest.fixture(autouse=True)
def no_options(monkeypatch):
    """The options as a new installation has them."""
    for name in OPTIONS:
        monkeypatch.delenv(f"AIRFLOW__VIBE__{name.upper()}", raising=False)


@pytest.fixture
def configure(monkeypatch):
    """The settings with some options set."""

    def set_options(**options):
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__VIBE__{name.upper()}", value)
        return Settings.from_airflow()

    return set_options


def test_defaults_are_those_that_the_provider_declares(configure):
    settings = configure()
    assert (settings.default_retries, settings.default_retry_delay) == (2, 30.0)
    assert (settings.timeout_factor, settings.quality_threshold) == (10.0, 0.7)
    assert settings.translator == "airflow_provider_vibe.dag.translator.PlanTranslator"
    assert settings.rules.limits == Limits()
    assert settings.rules.default_tools == {
        "analyze": "llm_analyze",
        "generate": "llm_generate",
        "transform": "llm_transform",
        "validate": "llm_validate",
    }
    assert (settings.llm_conn_id, settings.llm_pools) == ("vibe_llm", {})
    assert settings.rules.simulate_missing is False
    assert settings.xcom_max_bytes == 49152


def test_settings_without_airflow_have_the_same_numbers(configure):
    plain, configured = Settings(), configure()
    names = ("default_retries", "default_retry_delay", "timeout_factor", "quality_threshold", "translator")
    names += ("llm_conn_id", "llm_pools", "xcom_max_bytes")
    assert [getattr(plain, name) for name in names] == [getattr(configured, name) for name in names]


def test_options_are_read(configure):
    settings = configure(
        default_retries="5",
        default_retry_delay="0.5",
        timeout_factor="3",
        quality_threshold="1.0",
        xcom_max_bytes="1000",
        translator="ours.Translator",
        missing_tool="simulate",
        default_tools='{"analyze": "keywords"}',
        llm_conn_id="ours",
        llm_pools='{"ours": "model_pool"}',
    )
    assert (settings.default_retries, settings.default_retry_delay) == (5, 0.5)
    assert (settings.timeout_factor, settings.quality_threshold) == (3.0, 1.0)
    assert settings.xcom_max_bytes == 1000
    assert settings.translator == "ours.Translator"
    assert settings.rules.simulate_missing is True
    assert settings.rules.default_tools == {"analyze": "keywords"}
    assert (settings.llm_conn_id, settings.llm_pools) == ("ours", {"ours": "model_pool"})


@pytest.mark.parametrize("limit", [field.name for field in fields(Limits)])
def test_every_limit_of_a_plan_is_an_option(configure, limit):
    limits = configure(**{limit: "7"}).rules.limits
    assert getattr(limits, limit) == 7


def test_tools_are_the_built_in_ones_and_those_of_the_factories(configure):
    settings = configure(tool_factories=" tests.test_settings.make_tools , ")
    assert {"from_a_factory", "llm_generate", "keywords"} <= set(settings.tools)
    assert settings.rules.tools is settings.tools
    assert "from_a_factory" not in configure(tool_factories="").tools


def test_factory_that_is_not_there_is_named(configure):
    with pytest.raises(ToolError, match=r"nowhere\.make_tools"):
        configure(tool_factories="nowhere.make_tools")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("default_retries", "two", "should be a number, not 'two'"),
        ("default_retries", "2.5", "should be a number, not '2.5'"),
        ("default_retries", "-1", "not below 0, it is -1"),
        ("default_retry_delay", "nan", "should be finite"),
        ("timeout_factor", "inf", "should be finite"),
        ("quality_threshold", "7", "should be at most 1, it is 7"),
        ("max_nodes", "", "should be a number, not ''"),
        ("missing_tool", "simulat", "did you mean 'simulate'?"),
        ("missing_tool", "xyz", "one of fail, simulate"),
        ("default_tools", "{", "is no JSON"),
        ("default_tools", "[]", "should be like"),
        ("default_tools", '{"analyze": 1}', "should be like"),
        ("default_tools", '{"analyse": "x"}', "did you mean 'analyze'?"),
        ("llm_pools", "{", "is no JSON"),
        ("llm_pools", '{"vibe_llm": 3}', 'should be like {"vibe_llm": "vibe_llm"}'),
        ("default_tools", '{"composite": "x"}', "no node is of type 'composite'"),
    ],
)
def test_value_that_makes_no_sense_is_named_with_its_option(configure, option, value, told):
    with pytest.raises(SettingsError) as caught:
        configure(**{option: value})
    assert str(caught.value).startswith(f"[vibe] {option}")
    assert told in str(caught.value)


def test_empty_default_tools_are_none(configure):
    assert configure(default_tools="").rules.default_tools == {}


def test_default_tools_count_as_chosen_once_somebody_sets_them(monkeypatch):
    assert Settings.from_airflow().rules.default_tools_chosen is False
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", '{"generate": "llm_generate"}')
    assert Settings.from_airflow().rules.default_tools_chosen is True
