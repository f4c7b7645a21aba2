"""Keeping the keys of connections out of what is shown: some servers say again what they were sent."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import BaseModel

from airflow_provider_vibe.tools.base import ToolFailed

if TYPE_CHECKING:
    from airflow.sdk import Connection

MASK = "***"

SHORTEST_SECRET = 5
"""Characters; Airflow's own default of ``[logging] min_length_masked_secret``."""

LONGEST_WORD = 15
"""Characters; longer ones are secrets, whatever they are made of."""

_USERINFO = re.compile(r"^(\w+://)?(.*)@")
_KEPT = ("status_code", "provider_error_code", "retry_after")
"""Attributes of an error that tell whether another try can help."""

Seen = dict[int, tuple[BaseException, BaseException]]


@dataclass(frozen=True)
class Secrets:
    """What must not show in an answer.

    :param known: the secrets of a connection and of its fallbacks, the longest first.
    """

    known: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, *connections: Connection) -> Secrets:
        """Those of *connections*, which Airflow masks in logs and errors from now on."""
        from airflow.providers.common.compat.sdk import mask_secret
        from airflow.sdk.configuration import conf

        shortest = conf.getint("logging", "min_length_masked_secret", fallback=SHORTEST_SECRET)
        found = set()
        for secret in (secret for each in connections for secret in _secrets_in(each)):
            mask_secret(secret)
            if len(secret) >= shortest and not _is_word(secret):
                found |= {secret, json.dumps(secret, ensure_ascii=False)[1:-1]}
        return cls(tuple(sorted(found, key=lambda secret: (-len(secret), secret))))

    def hide(self, value: Any) -> Any:
        """*value* without the secrets.

        :param value: a text, plain JSON, or a pydantic model.
        """
        if isinstance(value, str):
            for secret in self.known:
                value = value.replace(secret, MASK)
            return value
        if isinstance(value, dict):
            return {self.hide(key): self.hide(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.hide(each) for each in value]
        if isinstance(value, BaseModel):
            plain = value.model_dump(mode="json")
            hidden = self.hide(plain)
            return value if hidden == plain else type(value).model_validate(hidden)
        return value


def shown_host(host: str) -> str:
    """A host as it may be shown: without user and password."""
    return _USERINFO.sub(r"\1", host)


def cleared(error: Exception) -> Exception:
    """*error* itself, or one that stands for it where its words hold a secret that Airflow knows.

    Its causes and contexts are replaced likewise, since a traceback prints them. A chain of models fails as a
    group; it stays one, since what it is worth is told by its members.
    """
    result = _cleared(error, {})
    assert isinstance(result, Exception)
    return result


def _cleared(error: BaseException, seen: Seen) -> BaseException:
    if id(error) in seen:
        return seen[id(error)][1]
    seen[id(error)] = (error, error)  # before its chain, which may lead back to it
    result: BaseException = error
    if isinstance(error, ExceptionGroup):
        result = _cleared_group(error, seen)
    elif _words(error) != _redacted(_words(error)):
        result = _stand_in(error)
    seen[id(error)] = (error, result)
    if result is error:
        for link in ("__cause__", "__context__"):
            if (earlier := getattr(error, link)) is not None:
                setattr(error, link, _cleared(earlier, seen))
    return result


def _cleared_group(group: ExceptionGroup[Exception], seen: Seen) -> ExceptionGroup[Exception]:
    members = [_cleared(member, seen) for member in group.exceptions]
    message = _redacted(group.message)
    is_clean = all(new is old for new, old in zip(members, group.exceptions, strict=True))
    if is_clean and _words(group) == _redacted(_words(group)):
        return group
    return ExceptionGroup(message, [member for member in members if isinstance(member, Exception)])


def _stand_in(error: BaseException) -> ToolFailed:
    masked = ToolFailed(f"{type(error).__name__}: {_redacted(str(error))}")
    masked.stands_for = tuple(cls.__name__ for cls in type(error).__mro__)
    for name in _KEPT:
        if hasattr(error, name):
            setattr(masked, name, getattr(error, name))
    return masked


def _words(error: BaseException) -> str:
    """All that a traceback prints of an error itself."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def _redacted(text: str) -> str:
    from airflow.providers.common.compat.sdk import redact

    return str(redact(text))


def _secrets_in(connection: Connection) -> Iterator[str]:
    if connection.password:
        yield connection.password
    if found := _USERINFO.match(connection.host or ""):
        userinfo = found[2]
        user, _, password = userinfo.partition(":")
        secret = password or user
        yield from {secret, unquote(secret)} - {""}
        yield base64.b64encode(unquote(userinfo).encode()).decode()  # how it goes over the wire
    yield from _named_secrets(connection.extra_dejson)


def _named_secrets(extra: Any, name: str = "") -> Iterator[str]:
    """The texts in a connection's extra under names that Airflow holds for names of secrets."""
    from airflow.providers.common.compat.sdk import redact

    if isinstance(extra, dict):
        for key, value in extra.items():
            yield from _named_secrets(value, str(key))
    elif isinstance(extra, list):
        for value in extra:
            yield from _named_secrets(value, name)
    elif isinstance(extra, str) and extra and redact("x", name) != "x":
        yield extra


def _is_word(secret: str) -> bool:
    """Whether a password is none but a word that a text may well hold: ``lm-studio``, ``EMPTY``."""
    letters = re.sub(r"[-_ ]", "", secret)
    is_plain = letters.isascii() and letters.isalpha() and (letters.islower() or letters.isupper())
    return is_plain and len(secret) <= LONGEST_WORD
