from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.artifacts import load_artifact
from airflow_provider_vibe.tools.builtin.files import write_file
from tests.tools.helpers import call, output

PLACE = {"run": {"dag_id": "newsletter", "id": "manual__1"}, "try_number": 2}


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def write(name: str, text: str | None = None, **context: Any) -> dict[str, Any]:
    return output(write_file, {"name": name, "text": text}, **PLACE, **context)


def test_the_text_lies_in_the_folder_of_the_try(artifacts: Path):
    written = write("posts/launch.md", "hällo")
    assert written["path"] == str(artifacts / "newsletter/manual__1/here/2/posts/launch.md")
    assert Path(written["path"]).read_text(encoding="utf-8") == "hällo"


def test_the_output_is_a_reference_to_the_file():
    written = write("posts/launch.md", "hällo")
    assert set(written) == {"artifact", "uri", "path", "name", "size", "media_type", "sha256"}
    assert (written["size"], written["media_type"]) == (6, "text/markdown")
    assert load_artifact(written).decode() == "hällo"


def test_without_a_text_the_texts_of_the_dependencies_are_written():
    written = write("a.txt", previous_outputs={"x": {"text": "one"}, "y": "two"})
    assert Path(written["path"]).read_text() == "one\n\ntwo"


def test_a_missing_text_writes_nothing(artifacts: Path):
    with pytest.raises(ToolInputError, match="give 'text'"):
        call(write_file, {"name": "a.txt"}, **PLACE)
    assert not artifacts.exists()


def test_a_name_that_leads_elsewhere_writes_nothing(artifacts: Path):
    with pytest.raises(ToolInputError, match="cannot be the name of a file here"):
        write("../a.txt", "x")
    assert not artifacts.exists()
