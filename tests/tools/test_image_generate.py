"""Pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.runtime.errors import ErrorKind, kind_of, retry_after
from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.artifacts import load_artifact
from airflow_provider_vibe.tools.builtin.image_generate import image_generate
from tests.tools.helpers import call
from tests.tools.model_server import KEY, PNG, ModelServer

CONTEXT = {"run": {"id": "r", "dag_id": "d"}, "try_number": 1}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def painter(connection: Any, model_server: ModelServer) -> ModelServer:
    extra = {"model": "gpt-5", "image_model": "gpt-image-1"}
    connection(password=KEY, host=model_server.url, extra=extra)
    return model_server


def test_picture_is_kept_as_a_file_and_given_by_reference(painter: ModelServer, folder: Path):
    vibe = {"description": "A letter", "style": "calm", "constraints": ["no people"]}
    result = call(image_generate, {"prompt": "A cup of tea", "aspect_ratio": "1:1"}, vibe=vibe, **CONTEXT)
    image = result.output["image"]
    assert image["name"] == "image.png"
    assert (image["media_type"], image["size"]) == ("image/png", len(PNG))
    assert image["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert load_artifact(image) == PNG
    assert Path(image["path"]).is_relative_to(folder)
    assert result.output["prompt"] == "a better prompt"
    assert painter.asked["model"] == "gpt-image-1"
    assert painter.asked["size"] == "1024x1024"
    assert painter.asked["prompt"].splitlines() == [
        "A cup of tea",
        "The whole work: A letter",
        "Style: calm",
        "Constraints:",
        "- no people",
    ]
    assert painter.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    metadata = result.metadata
    assert (metadata["model"], metadata["provider"]) == ("gpt-image-1", "openai")
    assert (metadata["connection"], metadata["finish_reason"]) == ("vibe_llm", None)
    usage = metadata["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["requests"]) == (7, 5, 1)


@pytest.mark.parametrize("status", [429, 500])
def test_failed_request_is_not_sent_again(status: int, painter: ModelServer):
    painter.fail(status, "try later", times=3, retry_after="7")
    with pytest.raises(Exception, match="try later") as caught:
        call(image_generate, {"prompt": "p"}, **CONTEXT)
    assert len(painter.requests) == 1
    assert kind_of(caught.value) in {ErrorKind.RATE_LIMIT, ErrorKind.SERVER}
    assert retry_after(caught.value) == 7


def refused(inputs: dict[str, Any]) -> str:
    with pytest.raises(ToolInputError) as caught:
        call(image_generate, {"prompt": "p", **inputs}, **CONTEXT)
    return str(caught.value)


def test_connection_without_an_image_model_says_where_to_write_it(model_server: ModelServer):
    assert '{"image_model": "openai:gpt-image-2"}' in refused({})
    assert model_server.requests == []


def test_connection_of_another_type_is_refused(connection: Any):
    connection(conn_type="pydanticai_bedrock", extra={"image_model": "x:y"})
    assert "is of type 'pydanticai_bedrock'; images are made through" in refused({})


def test_provider_that_makes_no_pictures_is_refused(connection: Any):
    connection(password=KEY, extra={"image_model": "openai-chat:gpt-5"})
    assert "does not support direct image generation" in refused({})


def test_model_of_another_provider_is_refused(connection: Any):
    connection(password=KEY, extra={"image_model": "openai:gpt-image-1"})
    assert "'deepseek:x' is another provider's" in refused({"model": "deepseek:x"})
    connection(password=KEY, extra={"model": "openai:gpt-5"})
    assert "'deepseek:x' is another provider's" in refused({"model": "deepseek:x"})


def test_shape_that_the_model_cannot_make_is_a_wrong_input(painter: ModelServer):
    assert "16:9" in refused({"aspect_ratio": "16:9"})
    assert painter.requests == []


def test_host_that_the_provider_ignores_is_refused(painter: ModelServer, monkeypatch: pytest.MonkeyPatch):
    from pydantic_ai.providers.openai import OpenAIProvider

    monkeypatch.setattr(OpenAIProvider, "base_url", "https://elsewhere.example/v1")
    assert f"names the host '{painter.url}'" in refused({})
