"""The runs of an Airflow somewhere else, read through its REST API.

All comes from the public API (v2) but for the nesting of a DAG's groups, which it does not tell: that is
asked of the endpoint behind Airflow's own Graph view. Where that one is gone or forbidden, the tasks and
their order from the public API have to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from urllib.parse import quote

import httpx

from airflow_provider_vibe.cli.runs import DagStructure, RunState, TaskState, Unavailable
from airflow_provider_vibe.cli.structure_json import structure_from_api
from airflow_provider_vibe.plan.problems import VibeError, one_line, quoted

TOKEN_VARIABLE = "AIRFLOW_VIBE_TOKEN"
USER_VARIABLE = "AIRFLOW_VIBE_USER"
PASSWORD_VARIABLE = "AIRFLOW_VIBE_PASSWORD"
HOW_TO_LOG_IN = f"set {TOKEN_VARIABLE}, or {USER_VARIABLE} and {PASSWORD_VARIABLE}"

API = "/api/v2"
STRUCTURE = "/ui/structure/structure_data"
TIMEOUT = 30.0
PAGE = 100
"""Airflow gives no more at once, unless its ``[api] maximum_page_limit`` was raised."""
MOST_DAGS = 2_000
"""So many are looked through for one that may be meant."""

MOST_OF_A_DETAIL = 300
"""Characters."""

P = ParamSpec("P")
T = TypeVar("T")

_TOKEN = re.compile(r"[\x21-\x7e]+")


class ApiError(VibeError):
    """An Airflow that answers, but not as it should."""


class LoginRefused(ApiError):
    """Airflow does not let this user in, or not see what was asked for."""


@dataclass
class Login:
    """Who asks. Nothing here is ever printed.

    :param token: a token of Airflow's API.
    :param user: whom to get a token for.
    :param password: of that user.
    """

    token: str | None = field(default=None, repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls) -> Login:
        """The token, or else the user and password, of the environment; none for an open Airflow.

        :raises LoginRefused: half of what a login takes, or a token that can be none.
        """
        token = os.environ.get(TOKEN_VARIABLE, "").strip() or None
        user = os.environ.get(USER_VARIABLE) or None
        password = os.environ.get(PASSWORD_VARIABLE) or None
        if token is not None and not _TOKEN.fullmatch(token):
            raise LoginRefused(f"{TOKEN_VARIABLE} holds characters that no token has")
        if token is None and (user is None) != (password is None):
            missing = USER_VARIABLE if user is None else PASSWORD_VARIABLE
            raise LoginRefused(f"a login takes {USER_VARIABLE} and {PASSWORD_VARIABLE}: {missing} is not set")
        return cls(token, None, None) if token else cls(None, user, password)


Read = Callable[Concatenate["RestReader", P], T]


def understood(read: Read[P, T]) -> Read[P, T]:
    """A method that reads answers, and tells when one is not what Airflow would say."""

    @wraps(read)
    def read_carefully(self: RestReader, *args: P.args, **options: P.kwargs) -> T:
        try:
            return read(self, *args, **options)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            words = one_line(f"{type(error).__name__}: {error}")[:MOST_OF_A_DETAIL]
            raise ApiError(f"{self._url} answers, but not as Airflow 3 does ({words})") from error

    return read_carefully


class RestReader:
    """Reads the runs of the Airflow at a URL.

    :param url: where its api-server is, e.g. ``https://airflow.example.com``.
    :param login: who asks.
    :param timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, login: Login | None = None, *, timeout: float = TIMEOUT) -> None:
        self._url = _checked(url)
        self._login = login or Login()
        self._timeout = timeout
        self._http = httpx.Client(timeout=timeout, headers={"Accept": "application/json"})

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    @understood
    def dag_ids(self) -> list[str]:
        """The DAGs there are."""
        if self._get(f"{API}/version") is None:
            raise ApiError(f"{self._url} is no Airflow 3: there is no {API}")
        found = []
        for dag in self._pages("/dags", "dags", order_by="dag_id"):
            found.append(str(dag["dag_id"]))
            if len(found) == MOST_DAGS:
                break
        return found

    @understood
    def run_ids(self, dag_id: str) -> list[str] | None:
        """The latest runs of a DAG, the newest first; None when there is no such DAG."""
        page = self._get(API + _path("dags", dag_id, "dagRuns"), order_by="-run_after", limit=PAGE)
        return None if page is None else [str(run["dag_run_id"]) for run in page["dag_runs"]]

    @understood
    def run(self, dag_id: str, run_id: str) -> RunState | None:
        """A run; None when there is none."""
        run = self._get(API + _path("dags", dag_id, "dagRuns", run_id))
        if run is None:
            return None
        versions = [version["version_number"] for version in run.get("dag_versions") or ()]
        return RunState(
            dag_id,
            run_id,
            state=str(run["state"]),
            started_at=_moment(run["start_date"]),
            ended_at=_moment(run["end_date"]),
            version=max(versions, default=None),
            conf=run.get("conf") or {},
        )

    @understood
    def task_states(self, dag_id: str, run_id: str) -> dict[str, TaskState]:
        """Every task of a run by its id."""
        path = _path("dags", dag_id, "dagRuns", run_id, "taskInstances")
        found = self._pages(path, "task_instances", order_by="id")
        return {
            str(ti["task_id"]): TaskState(
                task_id=str(ti["task_id"]),
                state=ti["state"],
                started_at=_moment(ti["start_date"]),
                ended_at=_moment(ti["end_date"]),
                try_number=int(ti["try_number"] or 0),
            )
            for ti in found
        }

    @understood
    def structure(self, dag_id: str, version: int | None) -> DagStructure:
        """The tasks and groups of a version of a DAG; of the latest for None."""
        asked = {"dag_id": dag_id} if version is None else {"dag_id": dag_id, "version_number": version}
        try:
            nested = self._get(STRUCTURE, **asked)
        except LoginRefused:
            nested = None
        listed = self._get(API + _path("dags", dag_id, "tasks"))
        return structure_from_api(nested, [] if listed is None else listed["tasks"])

    @understood
    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """What a task left under *key*; None when it left nothing."""
        parts = ("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id, "xcomEntries", key)
        entry = self._get(API + _path(*parts))
        return None if entry is None else entry["value"]

    @understood
    def source(self, dag_id: str, version: int | None) -> str | None:
        """The text that a version of a DAG was made from; of the latest for None."""
        asked = {} if version is None else {"version_number": version}
        found = self._get(API + _path("dagSources", dag_id), **asked)
        return None if found is None else str(found["content"])

    @understood
    def is_paused(self, dag_id: str) -> bool:
        """Whether the runs of a DAG wait until it is unpaused; False where that is not told."""
        try:
            dag = self._get(API + _path("dags", dag_id))
        except LoginRefused:
            return False
        return dag is not None and bool(dag["is_paused"])

    @understood
    def start_run(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run with these parameters; gives its id."""
        path = API + _path("dags", dag_id, "dagRuns")
        started = self._answer("POST", path, json={"logical_date": None, "conf": dict(conf)})
        if started is None:
            raise ApiError(f"{self._url} has no DAG {quoted(dag_id)} to start")
        return str(started["dag_run_id"])

    def _pages(self, path: str, key: str, **params: Any) -> Iterator[Mapping[str, Any]]:
        offset = 0
        while (page := self._get(API + path, limit=PAGE, offset=offset, **params)) is not None:
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def _get(self, path: str, **params: Any) -> Any:
        return self._answer("GET", path, params=params)

    def _answer(self, method: str, path: str, **options: Any) -> Any:
        """The decoded answer; None when there is no such thing."""
        response = self._ask(method, path, options)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._login.user:
            self._login.token = None  # it has run out
            response = self._ask(method, path, options)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        self._check(response)
        try:
            return response.json()
        except ValueError:
            raise ApiError(f"{self._url} is no Airflow 3: it does not answer in JSON") from None

    def _ask(self, method: str, path: str, options: Mapping[str, Any]) -> httpx.Response:
        if self._login.token is None and self._login.user:
            self._login.token = self._new_token()
        headers = {"Authorization": f"Bearer {self._login.token}"} if self._login.token else {}
        return self._send(method, path, headers=headers, **options)

    def _new_token(self) -> str:
        sent = {"username": self._login.user, "password": self._login.password}
        response = self._send("POST", "/auth/token", json=sent)
        if response.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            user = quoted(self._login.user)
            raise LoginRefused(f"{self._url} does not let {user} in: check {PASSWORD_VARIABLE}")
        if response.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
            raise LoginRefused(f"{self._url} gives no token for a password: set {TOKEN_VARIABLE}")
        self._check(response)
        try:
            token = str(response.json()["access_token"])
        except (ValueError, KeyError, TypeError):
            raise ApiError(f"{self._url} is no Airflow 3: its /auth/token gives no token") from None
        if not _TOKEN.fullmatch(token):
            raise ApiError(f"{self._url} gave a token that can be none")
        return token

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, self._url + path, **options)
        except httpx.TimeoutException:
            raise Unavailable(f"{self._url} gave no answer within {self._timeout:g} seconds") from None
        except httpx.HTTPError as error:
            raise Unavailable(
                f"cannot reach {self._url}: {one_line(str(error)) or type(error).__name__}"
            ) from None

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.UNAUTHORIZED:
            given = "refuses this token" if self._login.token else "asks for a login"
            raise LoginRefused(f"{self._url} {given}: {HOW_TO_LOG_IN}")
        if status == httpx.codes.FORBIDDEN:
            raise LoginRefused(
                f"{self._url} does not show {response.url.path} to this user: {_detail(response)}"
            )
        if response.is_redirect:
            where = one_line(response.headers.get("location", "another address"))
            raise ApiError(f"{self._url} sends on to {where}: give the URL of the api-server itself")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
            raise Unavailable(f"{self._url} answers {status}: {_detail(response)}")
        if not response.is_success:
            raise ApiError(f"{self._url} answers {status} to {response.url.path}: {_detail(response)}")


def _checked(url: str) -> str:
    """The address of the api-server, without what stands behind it by mistake."""
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise ApiError(f"that is no URL: {one_line(str(error))}") from None
    if parsed.userinfo:
        raise ApiError(f"a URL is no place for a password: {HOW_TO_LOG_IN}")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ApiError(f"{quoted(url)} is no URL of an api-server, such as http://localhost:8080")
    plain = str(parsed.copy_with(query=None, fragment=None)).rstrip("/")
    return plain.removesuffix(API).rstrip("/")


def _path(*parts: str) -> str:
    return "".join("/" + quote(part, safe="") for part in parts)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _detail(response: httpx.Response) -> str:
    """Airflow's own words for what is wrong."""
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.reason_phrase or "no words"
    return one_line(str(detail))[:MOST_OF_A_DETAIL]
