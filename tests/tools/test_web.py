from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from airflow_provider_vibe.runtime.errors import ErrorKind, kind_of, retry_after
from airflow_provider_vibe.tools import ToolInputError, addresses, web
from airflow_provider_vibe.tools.web import Fetched, HTTPError, RefusedURL
from tests.tools.certificates import self_signed

PUBLIC = "93.184.215.14"


def fetch(url: str, **limits: Any) -> Fetched:
    return asyncio.run(web.fetch(url, **limits))


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch):
    """Sets ``[vibe] allowed_hosts``."""

    def to(*hosts: str) -> None:
        monkeypatch.setenv("AIRFLOW__VIBE__ALLOWED_HOSTS", ",".join(hosts))

    return to


@pytest.fixture
def server(httpserver: HTTPServer, allow: Any) -> HTTPServer:
    """A server that plans may read."""
    allow(f"127.0.0.1:{httpserver.port}")
    return httpserver


def url_of(server: HTTPServer, path: str = "/", host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.port}{path}"


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch):
    """Answers look-ups, one after the other; the last answer stays."""

    def answers(*answers: list[str]) -> list[str]:
        asked: list[str] = []

        async def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return answers[min(len(asked), len(answers)) - 1]

        monkeypatch.setattr(addresses, "resolve", resolve)
        return asked

    return answers


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """What would have gone out to the network."""
    requests: list[httpx.Request] = []

    async def handle(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"public"))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    return requests


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "http://127.1/"),
        *("http://0x7f000001/", "http://0/", "http://0.0.0.0/", "http://[::]/", "http://[::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/"),
        *("http://localhost/", "http://LOCALHOST/", "http://localhost./", "https://localhost:8443/"),
        *("http://127\u30020\u30020\u30021/", "http://127\uff0e0\uff0e0\uff0e1/"),
        *("http://\uff11\uff12\uff17.0.0.1/", "http://\u2460\u2461\u2466.0.0.1/", "http://\u0661.1.1.1/"),
        *("http://169.254.169.254/latest/meta-data/", "http://[fe80::1%25eth0]/", "http://10.0.0.1:8080/"),
        *("file:///etc/passwd", "file://localhost/etc/passwd", "gopher://example.org/", "ftp://example.org/"),
        *("data:text/plain,x", "javascript:x", "HTTP+UNIX://x/", "//example.org/", "/etc/passwd", "", "x"),
        *(
            "http://good@127.0.0.1/",
            "http://good:pw@example.org/",
            "http://:@example.org/",
        ),
        *(
            "http://127.0.0.1\\@example.org/",
            "http://example.org@127.0.0.1/",
            "http://127.0.0.1#@example.org/",
        ),
        *("http://", "http:///etc/passwd", "http://[::1", "http://a..b/", "http://%31%32%37.0.0.1/"),
        *(" http://127.0.0.1/", "http://127.0.0.1%00.example.org/", "http://a\x00b/", "http://\ud800/"),
    ],
)
def test_a_url_that_leads_elsewhere_than_to_a_public_host_is_refused(url: str, sent: list[httpx.Request]):
    with pytest.raises(RefusedURL) as caught:
        fetch(url)
    assert not sent
    assert str(caught.value).isprintable()
    assert kind_of(caught.value) is ErrorKind.WRONG_INPUT


def test_a_name_that_resolves_to_a_private_address_is_refused(dns: Any, sent: list[httpx.Request]):
    dns(["10.0.0.5"])
    with pytest.raises(RefusedURL, match=r"'metadata\.example' is at 10\.0\.0\.5"):
        fetch("http://metadata.example/")
    assert not sent


def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(
    dns: Any, sent: list[httpx.Request]
):
    asked = dns([PUBLIC], ["127.0.0.1"])
    answer = fetch("https://rebinding.example:8443/a?b=c#d")
    assert asked == ["rebinding.example"]
    (request,) = sent
    assert (request.url.host, request.url.port, request.url.raw_path) == (PUBLIC, 8443, b"/a?b=c")
    assert request.headers["host"] == "rebinding.example:8443"
    assert request.extensions["sni_hostname"] == "rebinding.example"
    assert answer.url == "https://rebinding.example:8443/a?b=c#d"


def test_the_server_sees_the_name_although_it_is_reached_by_its_address(
    server: HTTPServer, allow: Any, dns: Any
):
    allow(f"pinned.example:{server.port}")
    dns(["127.0.0.1"])
    name = f"pinned.example:{server.port}"
    server.expect_request("/a", headers={"Host": name}).respond_with_data("it is me")
    assert fetch(url_of(server, "/a", "pinned.example")).content == b"it is me"


def test_the_next_address_is_tried_where_one_takes_no_connection(server: HTTPServer, allow: Any, dns: Any):
    allow(f"many.example:{server.port}")
    dns(["127.0.0.2", "127.0.0.1"])
    server.expect_request("/").respond_with_data("here")
    assert fetch(url_of(server, "/", "many.example")).content == b"here"


@pytest.mark.parametrize("host", ["named.example", "other.example"])
def test_the_certificate_must_be_that_of_the_name(
    allow: Any, dns: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
):
    trusted, context = self_signed(tmp_path, "named.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    dns(["127.0.0.1"])
    with HTTPServer(ssl_context=context) as server:
        allow(f"{host}:{server.port}")
        server.expect_request("/").respond_with_data("safe")
        url = f"https://{host}:{server.port}/"
        if host == "named.example":
            assert fetch(url).content == b"safe"
        else:
            with pytest.raises(ConnectionError, match=r"(?i)hostname mismatch"):
                fetch(url)


def test_no_proxy_of_the_environment_is_used(server: HTTPServer, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.expect_request("/").respond_with_data("straight")
    assert fetch(url_of(server)).content == b"straight"


def redirect(server: HTTPServer, path: str, to: str, status: int = 302) -> None:
    server.expect_request(path).respond_with_data("", status=status, headers={"Location": to})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: HTTPServer, status: int):
    redirect(server, "/old", "new?x=1", status)
    server.expect_request("/new", query_string="x=1", method="GET").respond_with_data("moved")
    answer = fetch(url_of(server, "/old"))
    assert (answer.content, answer.url) == (b"moved", url_of(server, "/new?x=1"))


@pytest.mark.parametrize(
    "to",
    [
        *(
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://169.254.169.254/",
            "//10.0.0.1/",
            "http://[::1]/",
        ),
        *(
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "http://a:b@127.0.0.1/",
            "http://2130706433/",
        ),
    ],
)
def test_a_redirect_to_where_a_plan_may_not_go_is_refused(server: HTTPServer, to: str):
    redirect(server, "/", to)
    with pytest.raises(RefusedURL):
        fetch(url_of(server))
    assert len(server.log) == 1


def test_a_public_host_cannot_redirect_to_a_private_one(
    monkeypatch: pytest.MonkeyPatch, dns: Any, httpserver: HTTPServer
):
    dns([PUBLIC], ["127.0.0.1"])

    async def handle(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        assert request.url.host == PUBLIC
        return httpx.Response(302, headers={"Location": f"http://inner.example:{httpserver.port}/"})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
    with pytest.raises(RefusedURL, match=r"'inner\.example' is at 127\.0\.0\.1"):
        fetch("http://public.example/")
    assert not httpserver.log


def test_the_redirects_are_counted(server: HTTPServer):
    server.expect_request("/5").respond_with_data("end")
    for number in range(5):
        redirect(server, f"/{number}", f"/{number + 1}")
    assert fetch(url_of(server, "/0")).content == b"end"
    redirect(server, "/before", "/0")
    with pytest.raises(RefusedURL, match="redirects more than 5 times"):
        fetch(url_of(server, "/before"))


def test_a_cookie_is_not_carried_on(server: HTTPServer):
    headers = {"Location": "/next", "Set-Cookie": "a=b"}
    server.expect_request("/").respond_with_data("", status=302, headers=headers)
    server.expect_request("/next").respond_with_handler(
        lambda request: Response(request.headers.get("Cookie", "none"))
    )
    assert fetch(url_of(server)).content == b"none"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, ErrorKind.NOT_FOUND),
        (401, ErrorKind.AUTHENTICATION),
        (429, ErrorKind.RATE_LIMIT),
        (503, ErrorKind.SERVER),
        (304, ErrorKind.UNKNOWN),
        (418, ErrorKind.WRONG_INPUT),
    ],
)
def test_an_error_of_the_server_is_told_apart_by_its_status(server: HTTPServer, status: int, kind: ErrorKind):
    server.expect_request("/a").respond_with_data("no", status=status, headers={"retry-after": "17"})
    with pytest.raises(HTTPError, match=rf"'{url_of(server, '/a')}' answered {status}") as caught:
        fetch(url_of(server, "/a?key=secret"))
    assert kind_of(caught.value) is kind
    assert retry_after(caught.value) == 17
    assert "secret" not in str(caught.value)


def test_too_large_a_body_is_not_read_to_its_end(server: HTTPServer):
    pieces: list[int] = []

    def endless(request: Request) -> Response:
        def body():
            for number in range(10_000):
                pieces.append(number)
                yield b"x" * 65536

        return Response(body(), direct_passthrough=True)

    server.expect_request("/").respond_with_handler(endless)
    with pytest.raises(ToolInputError, match=r"larger than 100000 bytes \(raise 'max_bytes'\)"):
        fetch(url_of(server), max_bytes=100_000)
    assert len(pieces) < 5000


@pytest.mark.parametrize("size", [100, 101])
def test_the_limit_counts_the_unpacked_bytes(server: HTTPServer, size: int):
    packed = gzip.compress(b"x" * size)
    server.expect_request("/").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    if size <= 100:
        assert fetch(url_of(server), max_bytes=100).content == b"x" * size
    else:
        with pytest.raises(ToolInputError, match="larger than 100 bytes"):
            fetch(url_of(server), max_bytes=100)


def test_a_packed_bomb_never_fills_the_memory():
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    assert len(web._Gunzip()(bomb, 1000)) == 1000


@pytest.mark.parametrize("packing", ["gzip, gzip", "br", "zstd", "deflate"])
def test_a_packing_that_was_not_asked_for_is_refused(server: HTTPServer, packing: str):
    server.expect_request("/", headers={"Accept-Encoding": "gzip"}).respond_with_data(
        gzip.compress(gzip.compress(b"x")), headers={"Content-Encoding": packing}
    )
    with pytest.raises(ToolInputError, match=rf"packed with '{packing}'"):
        fetch(url_of(server))


def test_gzip_of_several_members_is_read_whole(server: HTTPServer):
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    server.expect_request("/").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    assert fetch(url_of(server)).content == b"one two"


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b"x" * 1000)[:-5], b"no gzip", zlib.compress(b"x")],
    ids=["cut off", "no gzip", "another packing"],
)
def test_a_broken_packed_body_is_a_broken_connection(server: HTTPServer, packed: bytes):
    server.expect_request("/").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(ConnectionError):
        fetch(url_of(server))


def test_the_time_limit_holds_for_everything_together(server: HTTPServer):
    enough = threading.Event()

    def dripping(request: Request) -> Response:
        def body():
            while not enough.wait(0.05):
                yield b"x"

        return Response(body(), direct_passthrough=True)

    server.expect_request("/").respond_with_handler(dripping)
    try:
        with pytest.raises(TimeoutError, match=r"was not read within 0\.3 seconds") as caught:
            fetch(url_of(server), timeout=0.3)
    finally:
        enough.set()
    assert kind_of(caught.value) is ErrorKind.TIMEOUT


def test_a_refused_connection_is_told_with_its_url(allow: Any):
    allow("127.0.0.1:1")
    with pytest.raises(ConnectionError, match=r"'http://127\.0\.0\.1:1/a'") as caught:
        fetch("http://127.0.0.1:1/a")
    assert kind_of(caught.value) is ErrorKind.CONNECTION


def test_type_and_encoding_are_those_the_server_names(server: HTTPServer):
    server.expect_request("/").respond_with_data("ü", content_type="Text/HTML; Charset=ISO-8859-1")
    answer = fetch(url_of(server))
    assert (answer.media_type, answer.charset, answer.status) == ("text/html", "iso-8859-1", 200)
