"""Reading a URL that a plan names: http and https, checked addresses, bounded in time and size."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.tools.addresses import (
    HostRule,
    RefusedURL,
    allowed_hosts,
    checked_addresses,
    plain_host,
)
from airflow_provider_vibe.tools.base import ToolInputError

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
CONNECT_TIMEOUT = 5.0
"""Seconds for one address of a host; then the next one is tried."""

DEFAULT_MAX_BYTES = 5 * 1024 * 1024
DEFAULT_TIMEOUT = 30.0

UrlText = Annotated[str, Field(min_length=1, max_length=4000)]
MaxBytes = Annotated[
    int, Field(ge=1, le=200 * 1024 * 1024, description="Bytes the answer may have, unpacked.")
]
TimeLimit = Annotated[
    float, Field(gt=0, le=3600, description="Seconds for all of it: redirects, and the last byte.")
]

_PORTS = {"http": 80, "https": 443}
_HEADERS = {"User-Agent": "airflow-provider-vibe", "Accept": "*/*", "Accept-Encoding": "gzip"}


class HTTPError(VibeError):
    """A server answered with an error.

    :param message: which URL, and what it said.
    :param status_code: the HTTP status; it decides whether another try can help.
    :param headers: of the answer; a ``Retry-After`` among them is kept to.
    """

    def __init__(self, message: str, status_code: int, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.headers = headers


@dataclass(frozen=True)
class Fetched:
    """What a URL gave.

    :param url: the URL that answered, after redirects.
    :param status: the HTTP status.
    :param media_type: e.g. ``text/html``; empty when the server did not say.
    :param charset: the encoding the server named, or None.
    :param content: the body, unpacked.
    """

    url: str
    status: int
    media_type: str
    charset: str | None
    content: bytes


async def fetch(url: str, *, max_bytes: int = DEFAULT_MAX_BYTES, timeout: float = DEFAULT_TIMEOUT) -> Fetched:
    """Read *url* with GET. No proxy, no cookie, no login of this machine takes part.

    The host's addresses are looked up once and checked, and the connection goes to one of them; name and
    certificate stay those of the host. Each redirect, of up to five, is checked in the same way.

    :param url: ``http`` or ``https``, without a user name.
    :param max_bytes: of the unpacked body.
    :param timeout: seconds for everything together.
    :raises RefusedURL: the URL, or one it redirects to, leads where a plan may not go.
    :raises ToolInputError: the body is larger, or packed in a way that was not asked for.
    :raises HTTPError: the server answered with an error.
    :raises TimeoutError: it took longer.
    :raises ConnectionError: there was no answer, or it broke off.
    """
    import httpx

    shown = _shown(_checked_url(url))
    client = httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(  # a kept connection is known by its address, not by its name
            limits=httpx.Limits(max_keepalive_connections=0)
        ),
        headers=_HEADERS,
        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
        trust_env=False,
    )
    try:
        async with asyncio.timeout(timeout), client:
            return await _follow(client, url, max_bytes)
    except (TimeoutError, httpx.TimeoutException):
        raise TimeoutError(f"{shown} was not read within {timeout:g} seconds") from None
    except httpx.RequestError as error:
        raise ConnectionError(f"{shown}: {error or type(error).__name__}") from error


async def _follow(client: httpx.AsyncClient, url: str, max_bytes: int) -> Fetched:
    rules, target = allowed_hosts(), _checked_url(url)
    for _ in range(MAX_REDIRECTS + 1):
        async with _answer(client, target, rules) as response:
            if response.has_redirect_location:
                target = _checked_url(response.headers["location"], base=target)
                continue
            if not response.is_success:
                raise _http_error(response, target)
            return Fetched(
                url=str(target),
                status=response.status_code,
                media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                charset=response.charset_encoding,
                content=await _body(response, target, max_bytes),
            )
    raise RefusedURL(f"{quoted(url)} redirects more than {MAX_REDIRECTS} times")


def _checked_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    import httpx

    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: a lone surrogate
        raise RefusedURL(f"{quoted(url)} is no URL: {error}") from None
    came_from = "" if base is None else f" (a redirect of {_shown(base)})"
    if parsed.scheme not in _PORTS:
        scheme = quoted(f"{parsed.scheme}:") if parsed.scheme else "a URL without 'https://'"
        raise RefusedURL(f"only http and https URLs are read, not {scheme}{came_from}")
    if parsed.userinfo:
        raise RefusedURL(f"a URL may hold no user name or password{came_from}")
    if not parsed.host:
        raise RefusedURL(f"{quoted(url)} names no host{came_from}")
    return parsed


@asynccontextmanager
async def _answer(
    client: httpx.AsyncClient, url: httpx.URL, rules: Sequence[HostRule]
) -> AsyncIterator[httpx.Response]:
    """The answer of the first address of the URL's host that takes a connection; its body is not read yet."""
    import httpx

    host, port = plain_host(url.raw_host), url.port or _PORTS[url.scheme]
    failure: httpx.RequestError | None = None
    for address in await checked_addresses(host, port, rules):
        request = client.build_request(
            "GET",
            url.copy_with(host=address),
            headers={"Host": url.netloc.decode()},
            extensions={"sni_hostname": host},
        )
        try:
            response = await client.send(request, stream=True, follow_redirects=False)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
            continue
        try:
            yield response
        finally:
            await response.aclose()
            client.cookies.clear()  # the jar knows hosts by address only
        return
    raise failure or ConnectionError(f"the host {quoted(host)} has no address")


def _http_error(response: httpx.Response, url: httpx.URL) -> HTTPError:
    status = response.status_code
    phrase = f" {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else ""
    return HTTPError(f"{_shown(url)} answered {status}{phrase}", status, dict(response.headers))


async def _body(response: httpx.Response, url: httpx.URL, max_bytes: int) -> bytes:
    """The body, unpacked piece by piece, so that a small packed one cannot fill the memory.

    httpx unpacks whole pieces, in any number of layers, before one could count.
    """
    packing = response.headers.get("content-encoding", "identity").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip"):
        raise ToolInputError(f"{_shown(url)} is packed with {quoted(packing)}, which was not asked for")
    unpack = _Gunzip() if "gzip" in packing else None
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece if unpack is None else unpack(piece, max_bytes + 1 - len(body))
        if len(body) > max_bytes:
            raise ToolInputError(f"{_shown(url)} is larger than {max_bytes} bytes (raise 'max_bytes')")
    if unpack is not None and not unpack.is_complete:
        raise ConnectionError(f"{_shown(url)}: the packed answer broke off")
    return bytes(body)


class _Gunzip:
    """Unpacks gzip, of one or more members, never more than asked for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self.is_complete = True

    def __call__(self, piece: bytes, most: int) -> bytes:
        unpacked = b""
        try:
            while piece and len(unpacked) < most:
                if self._stream.eof:
                    self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
                unpacked += self._stream.decompress(piece, most - len(unpacked))
                piece = self._stream.unused_data or self._stream.unconsumed_tail
                self.is_complete = self._stream.eof
        except zlib.error as error:
            raise ConnectionError(f"the answer is not packed as it says: {error}") from None
        return unpacked


def _shown(url: httpx.URL) -> str:
    """A URL for a message: without the query, which may hold a key."""
    return quoted(str(url.copy_with(query=None, fragment=None)), 200)
