from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest

from airflow_provider_vibe.tools.registry import build_registry
from tests.dag import scripted
from tests.dag.bundles import bundle, machine, plans, settled, unfinished

__all__ = ["bundle", "machine", "plans", "settled", "unfinished"]  # fixtures


@pytest.fixture
def scripted_settings(monkeypatch):
    """Settings in which the tools follow a script, as `[vibe]` options would give them."""
    from airflow_provider_vibe.settings import Settings

    def configure(script):
        names = script.spec.get("tools", ["scripted"])
        defaults = '{"generate": "llm_generate"}' if "llm_generate" in names else "{}"
        tools = build_registry([("the script", [scripted.ScriptedTool(script, name) for name in names])])
        monkeypatch.setattr("airflow_provider_vibe.settings._tools", lambda factories: tools)
        monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", defaults)
        monkeypatch.setenv("AIRFLOW__VIBE__MISSING_TOOL", "simulate")
        return Settings.from_airflow()

    return configure


@pytest.fixture
def run_scripted(airflow_db, scripted_settings):
    """Runs a plan whose tools follow a script; gives the plan with the tools' calls, and the result."""
    import json

    from airflow_provider_vibe.cli.local_run import run_locally
    from airflow_provider_vibe.dag.builder import build_dag
    from airflow_provider_vibe.dag.translator import PlanTranslator
    from airflow_provider_vibe.plan.reading import examine

    def run(plan_json, script, conf=None):
        settings = scripted_settings(script)
        raw = json.dumps(copy.deepcopy(plan_json)).encode()
        plan = examine(raw, "plan.vibe.json", settings.rules).plan_or_raise()
        result = run_locally(build_dag(plan, _WithHandlers(settings, script)), conf or {})
        return SimpleNamespace(plan=plan, calls=script.calls), result

    class _WithHandlers(PlanTranslator):
        """Where the script replaces the handler of a node's type, so does the operator."""

        def __init__(self, settings, script):
            super().__init__(settings)
            self._script = script

        def operator_class(self, plan, node):
            base = super().operator_class(plan, node)
            if self._script.of(node.id).get("via") != "handler":
                return base
            script = self._script

            class Handler(base):
                async def work(self, node, context, tools, rules):
                    return await script.output(node.id, node.description)

            return Handler

    return run
