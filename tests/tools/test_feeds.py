from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from airflow_provider_vibe.tools import ToolFailed, ToolInputError
from airflow_provider_vibe.tools.builtin.feeds import feed_read
from airflow_provider_vibe.tools.web import RefusedURL
from tests.tools.helpers import call, output

RSS = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>The &lt;b&gt;News&lt;/b&gt;</title><link>https://news.example/</link>
<item><title>One &amp;amp; only</title><link>https://news.example/1</link>
<pubDate>Mon, 05 Jan 2026 01:30:00 +0200</pubDate>
<description>&lt;p&gt;Hello&lt;/p&gt;&lt;script&gt;evil()&lt;/script&gt;&lt;p&gt;World&lt;/p&gt;</description></item>
<item><title>Two</title></item>
<item><link>https://news.example/3</link></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Atoms</title>
<entry><title>First</title><link href="first"/>
<updated>2026-02-03T04:05:06Z</updated><summary>Short</summary></entry>
</feed>"""


def rss_with(title: str, head: str = "") -> str:
    item = f"<item><title>{title}</title></item>"
    return f'<?xml version="1.0"?>{head}<rss version="2.0"><channel>{item}</channel></rss>'


def test_the_entries_of_an_rss_feed():
    found = output(feed_read, {"text": RSS})
    assert found["title"] == "The News"
    assert found["entries"] == [
        {
            "title": "One & only",
            "link": "https://news.example/1",
            "published": "2026-01-04T23:30:00+00:00",
            "summary": "Hello World",
        },
        {"title": "Two", "link": None, "published": None, "summary": ""},
        {"title": "", "link": "https://news.example/3", "published": None, "summary": ""},
    ]


def test_the_text_is_a_list_to_read():
    assert output(feed_read, {"text": RSS})["text"] == (
        "- One & only (2026-01-04) <https://news.example/1>\n"
        "  Hello World\n"
        "- Two\n"
        "- Untitled <https://news.example/3>"
    )


def test_the_limit_keeps_the_first_entries():
    assert [entry["title"] for entry in output(feed_read, {"text": RSS, "limit": 2})["entries"]] == [
        "One & only",
        "Two",
    ]


def test_a_feed_is_read_from_its_address(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__VIBE__ALLOWED_HOSTS", f"127.0.0.1:{httpserver.port}")
    httpserver.expect_request("/feeds/atom").respond_with_data(ATOM, content_type="application/atom+xml")
    url = f"http://127.0.0.1:{httpserver.port}/feeds"
    (entry,) = output(feed_read, {"url": f"{url}/atom"})["entries"]
    assert entry == {
        "title": "First",
        "link": f"{url}/first",
        "published": "2026-02-03T04:05:06+00:00",
        "summary": "Short",
    }


def test_the_address_of_a_feed_must_be_public():
    with pytest.raises(RefusedURL):
        call(feed_read, {"url": "http://127.0.0.1/feed"})


def test_a_long_summary_is_cut():
    (entry,) = output(feed_read, {"text": RSS.replace("Hello", "x" * 5000), "limit": 1})["entries"]
    assert len(entry["summary"]) == 1000
    assert entry["summary"].endswith("…")


@pytest.mark.parametrize("inputs", [{}, {"url": "https://a.example/", "text": RSS}])
def test_a_feed_comes_from_one_place(inputs: dict[str, Any]):
    with pytest.raises(ToolInputError, match="either 'url'"):
        call(feed_read, inputs)


@pytest.mark.parametrize("text", ["", "no feed", "<html><body>no feed</body></html>", "{}"])
def test_what_is_no_feed_fails_the_node(text: str):
    with pytest.raises(ToolFailed, match="the text is no RSS or Atom feed"):
        call(feed_read, {"text": text})


def test_a_text_that_looks_like_a_place_is_not_opened(tmp_path: Path, httpserver: HTTPServer):
    file = tmp_path / "feed.xml"
    file.write_text(RSS)
    for place in (str(file), file.as_uri(), httpserver.url_for("/feed")):
        with pytest.raises(ToolFailed):
            call(feed_read, {"text": place})
    assert not httpserver.log


def test_a_feed_cannot_read_files(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    text = rss_with("a &x; b", f'<!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]>')
    assert "the secret" not in str(output(feed_read, {"text": text}))


def test_entities_that_grow_do_not_fill_the_memory():
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    text = rss_with("&e11;", f'<!DOCTYPE r [<!ENTITY e0 "aaaaaaaaaa">{entities}]>')
    assert len(str(output(feed_read, {"text": text}))) < 10_000
