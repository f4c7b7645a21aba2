"""Translation is a pure function of the plan's bytes and the configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.dag.plans import composite, node, plan, write

# Airflow itself writes the keys of a task in the order of a set and sorts them before it compares versions
# (`SerializedDagModel.hash`); so does the test.
PARSE = """
import json, random, sys
from pathlib import Path
from airflow.serialization.serialized_objects import DagSerialization
from airflow_provider_vibe.dag import loader
from airflow_provider_vibe.dag.translator import configured_translator

random.seed(int(sys.argv[2]))
times = int(sys.argv[3])
folder = Path(sys.argv[1])
translator = configured_translator()
seen = set()
for _ in range(times):
    paths = loader.plan_files(folder)
    random.shuffle(paths)
    dags = {each.dag.dag_id: each.dag for each in loader.translate_all(paths, translator)}
    for dag in dags.values():
        dag.fileloc = dag.relative_fileloc = "loader.py"
    seen.add("\\n".join(
        json.dumps(DagSerialization.to_dict(dags[dag_id]), sort_keys=True) for dag_id in sorted(dags)
    ))
assert len(seen) == 1, f"{len(seen)} different serialisations"
sys.stdout.write(seen.pop())
"""


def parsed(folder: Path, seed: int, times: int) -> bytes:
    """What *times* parses in a process of its own serialise to, all alike."""
    return subprocess.run(
        [sys.executable, "-c", PARSE, str(folder), str(seed), str(times)],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
    ).stdout


def test_a_hundred_parses_in_any_order_and_with_any_hash_seed_serialise_alike(tmp_path):
    wide = [node(f"a{index}") for index in range(12)]
    joined = [node(f"b{index}", *(each["id"] for each in wide)) for index in range(12)]
    write(tmp_path, "wide.vibe.json", plan(*wide, *joined, id="wide"))
    write(
        tmp_path,
        "nested.vibe.json",
        plan(
            composite("c", [node("x é"), composite("d", [node("y"), node("z", "y")], "x é")]),
            node("end", "c", estimated_duration=30),
            id="nested",
            tags=["b", "a"],
            params={"n": {"type": "integer", "default": 1}},
            schedule={"cron": "0 7 * * 1", "timezone": "Europe/Berlin", "start_date": "2026-01-05"},
        ),
    )
    first = parsed(tmp_path, 0, 40)
    assert [json.loads(line)["dag"]["dag_id"] for line in first.decode().splitlines()[-2:]] == [
        "nested",
        "wide",
    ]
    assert all(parsed(tmp_path, seed, 15) == first for seed in (1, 2, 3, 4))


LOADER_MODULES = """
import sys, airflow.sdk
before = set(sys.modules)
from airflow_provider_vibe import load_vibe_dags
print("\\n".join(sorted(set(sys.modules) - before)))
"""


def test_importing_the_loader_imports_no_heavy_library():
    done = subprocess.run([sys.executable, "-c", LOADER_MODULES], check=True, capture_output=True, text=True)
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    assert "airflow_provider_vibe" in imported
    heavy = {"pydantic_ai", "openai", "textstat", "yake", "markdown_it", "pyphen", "nltk", "jsonschema"}
    assert not imported & heavy


def test_asking_for_the_provider_imports_nothing():
    code = (
        "import sys; before = set(sys.modules);"
        "import airflow_provider_vibe.get_provider_info as info; info.get_provider_info();"
        "print(sorted(set(sys.modules) - before - {'airflow_provider_vibe'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    ours = [name for name in eval(done.stdout) if "airflow" in name]
    assert ours == ["airflow_provider_vibe.get_provider_info"]
