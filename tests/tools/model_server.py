"""A server on loopback that speaks OpenAI's protocol and remembers what it was asked."""

from __future__ import annotations

import base64
import json
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = "sk-very-secret-0123456789"

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class ModelServer:
    """Answers every request alike, but for those that :attr:`failures` are waiting for.

    :param server: of pytest-httpserver.
    """

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/v1")
        self.requests: list[Request] = []
        self.text = "a haiku"
        self.structured: dict[str, Any] = {}
        self.script: list[Any] = []
        self.finish_reason = "stop"
        self.model: str | None = None
        self.revised_prompt = "a better prompt"
        self.failures: list[Response] = []
        server.expect_request("/v1/chat/completions").respond_with_handler(self._chat)
        server.expect_request("/v1/images/generations").respond_with_handler(self._image)

    def fail(self, status: int, message: str = "no", code: str = "x", times: int = 1, **headers: str) -> None:
        """Answer the next requests with an error; ``retry_after="2"`` is a header."""
        body = json.dumps({"error": {"message": message, "code": code}})
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.failures += [
            Response(body, status, headers=named, content_type="application/json") for _ in range(times)
        ]

    def answer_with(self, body: str) -> None:
        """Answer the next request with this body."""
        self.failures.append(Response(body, 200, content_type="application/json"))

    def answer_in_turn(self, *answers: Any) -> None:
        """Answer the next requests for an object with these before :attr:`structured`; a text as it is."""
        self.script += answers

    @property
    def asked(self) -> dict[str, Any]:
        """The last request's body."""
        asked: dict[str, Any] = json.loads(self.requests[-1].data)
        return asked

    @property
    def told(self) -> tuple[str, str]:
        """The instructions and the prompt of the last request."""
        system, user = self.asked["messages"]
        return system["content"], user["content"]

    def _chat(self, request: Request) -> Response:
        self.requests.append(request)
        if self.failures:
            return self.failures.pop(0)
        usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        choice = {"index": 0, "message": self._message(), "finish_reason": self.finish_reason}
        body = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": self.model or self.asked["model"],
        }
        return _json({**body, "choices": [choice], "usage": usage})

    def _message(self) -> dict[str, Any]:
        if not (tools := self.asked.get("tools")):
            return {"role": "assistant", "content": self.text}
        answer = self.script.pop(0) if self.script else self.structured
        arguments = answer if isinstance(answer, str) else json.dumps(answer)
        call = {"name": tools[0]["function"]["name"], "arguments": arguments}
        return {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": call}]}

    def _image(self, request: Request) -> Response:
        self.requests.append(request)
        if self.failures:
            return self.failures.pop(0)
        image = {"b64_json": base64.b64encode(PNG).decode(), "revised_prompt": self.revised_prompt}
        details = {"text_tokens": 7, "image_tokens": 0}
        usage = {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12, "input_tokens_details": details}
        return _json({"created": 1, "data": [image], "usage": usage})


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body), 200, content_type="application/json")
