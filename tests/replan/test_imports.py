"""Replanning is plain Python: it waits for neither Airflow nor a model's library."""

from __future__ import annotations

import subprocess
import sys


def test_nothing_heavy_is_imported():
    listing = (
        "import sys, airflow_provider_vibe.replan.applying, airflow_provider_vibe.replan.markdown,"
        " airflow_provider_vibe.replan.decision; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert not {"airflow", "pydantic_ai", "httpx", "jsonschema"} & set(done.stdout.split())
