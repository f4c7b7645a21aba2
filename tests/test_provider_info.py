"""What the provider tells Airflow of itself."""

from __future__ import annotations

import importlib
import importlib.resources
import json
import pkgutil
import subprocess
import sys
from importlib.metadata import distribution

import jsonschema
import pytest

import airflow_provider_vibe
from airflow_provider_vibe.get_provider_info import get_provider_info

INFO = get_provider_info()
OPTIONS = INFO["config"]["vibe"]["options"]
MODULES = [
    module
    for kind in ("operators", "sensors", "hooks", "triggers", "bundles")
    for integration in INFO.get(kind, [])
    for module in integration["python-modules"]
]


def test_airflow_accepts_the_provider_info():
    schema = json.loads(
        importlib.resources.files("airflow").joinpath("provider_info.schema.json").read_text()
    )
    jsonschema.validate(INFO, schema)


def test_provider_info_says_the_same_every_time():
    assert get_provider_info() == INFO


def test_provider_info_is_found_by_airflow():
    entry_points = distribution(INFO["package-name"]).entry_points
    (found,) = entry_points.select(group="apache_airflow_provider")
    assert found.load() is get_provider_info


def test_asking_for_the_provider_info_imports_nothing_but_the_standard_library():
    code = (
        "import sys; before = set(sys.modules)\n"
        "from airflow_provider_vibe.get_provider_info import get_provider_info; get_provider_info()\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    others = {name for name in imported.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert others == {"airflow_provider_vibe", "airflow_provider_vibe.get_provider_info"}


@pytest.mark.parametrize("module", MODULES)
def test_module_that_is_named_can_be_imported(module):
    importlib.import_module(module)


@pytest.mark.parametrize("kind", ["operators", "sensors"])
def test_every_operator_and_sensor_is_named(kind):
    package = importlib.import_module(f"airflow_provider_vibe.{kind}")
    helpers = {"base", "earlier", "findings", "retry", "states"}
    there = {
        f"{package.__name__}.{module.name}"
        for module in pkgutil.iter_modules(package.__path__)
        if module.name not in helpers
    }
    assert {module for each in INFO[kind] for module in each["python-modules"]} == there


@pytest.mark.parametrize("path", INFO["cli"])
def test_commands_that_are_named_can_be_imported(path):
    commands = pkgutil.resolve_name(path)()
    assert [command.name for command in commands] == ["vibe"]


def test_options_are_those_of_the_contract():
    assert set(OPTIONS) == {
        *("missing_tool", "default_tools", "tool_factories", "translator", "llm_conn_id", "default_retries"),
        *("llm_timeout", "llm_pools", "budget_reserve_tokens"),
        *("default_retry_delay", "timeout_factor", "quality_threshold", "artifacts_path", "xcom_max_bytes"),
        "max_plan_bytes",
        *("files_path", "allowed_hosts"),
        *("max_nodes", "max_depth", "max_edges", "max_id_length", "max_string_length"),
    }


@pytest.mark.parametrize("option", OPTIONS)
def test_airflow_knows_every_option_with_its_default(option, monkeypatch):
    from airflow.configuration import conf
    from airflow.providers_manager import ProvidersManager

    monkeypatch.delenv(f"AIRFLOW__VIBE__{option.upper()}", raising=False)
    known = dict(ProvidersManager().provider_configs)[INFO["package-name"]]["vibe"]["options"]
    assert known[option] == OPTIONS[option]
    assert conf.get("vibe", option) == OPTIONS[option]["default"]


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_says_what_it_is_for(option):
    told = OPTIONS[option]
    assert told["description"].endswith(".")
    assert told["version_added"] == airflow_provider_vibe.__version__
    convert = {"string": str, "integer": int, "float": float}[told["type"]]
    convert(told["default"])
