"""Errors named and built like those of the libraries that tools use."""

from __future__ import annotations

import httpx


class ModelAPIError(RuntimeError):
    """As pydantic_ai has it, which takes a second to import."""

    def __init__(self, message="", retry_after=None):
        super().__init__(message)
        self.retry_after = retry_after


class ModelRateLimitError(ModelAPIError):
    pass


class ModelConnectionError(ModelAPIError):
    pass


class ModelTimeoutError(ModelConnectionError):
    pass


class ModelAuthenticationError(ModelAPIError):
    pass


class ModelHTTPError(ModelAPIError):
    def __init__(self, status_code, retry_after=None):
        super().__init__(f"status_code: {status_code}", retry_after)
        self.status_code = status_code


class ModelQuotaExceededError(ModelHTTPError):
    pass


class ModelRequestRejectedError(ModelAPIError):
    pass


class ModelNotFoundError(ModelRequestRejectedError):
    pass


class ModelContextWindowExceededError(ModelHTTPError, ModelRequestRejectedError):
    pass


class UnexpectedModelBehavior(RuntimeError):
    pass


class ContentFilterError(UnexpectedModelBehavior):
    pass


class OutputTokenLimitExceeded(UnexpectedModelBehavior):
    pass


class IncompleteToolCall(OutputTokenLimitExceeded):
    pass


class PermissionDeniedError(Exception):
    """As openai has one."""


class HTTPStatusError(Exception):
    """As httpx has one: the status and the headers are the response's."""

    def __init__(self, status_code, headers=None):
        super().__init__("")
        self.response = httpx.Response(status_code, headers=headers or {})


class AiohttpResponseError(Exception):
    """Status and headers are the error's own."""

    def __init__(self, status, headers=None):
        super().__init__("")
        self.status = status
        self.headers = headers


class GoogleAPIError(Exception):
    code = 503
