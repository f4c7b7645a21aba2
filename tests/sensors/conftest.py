from __future__ import annotations

import pytest

from tests import run_tools as tools


@pytest.fixture(scope="module", autouse=True)
def tools_of_these_tests(airflow_db):
    """The tools of `tests.run_tools`, given by `[vibe] tool_factories`."""
    tools.calls.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", "tests.run_tools.make_tools")
        yield tools
