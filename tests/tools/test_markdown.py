from __future__ import annotations

from html.parser import HTMLParser

import pytest

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin.markdown import markdown_to_html
from tests.tools.helpers import call, output


def test_markdown_becomes_html_with_tables():
    html = output(markdown_to_html, {"text": "# Hi\n\n|a|b|\n|-|-|\n|1|2|\n\n~~old~~"})
    assert html["media_type"] == "text/html"
    assert "<h1>Hi</h1>" in html["text"]
    assert "<td>2</td>" in html["text"]
    assert "<s>old</s>" in html["text"]
    assert "<html" not in html["text"]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onclick=x>b</b>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](java&#115;cript:alert(1))",
        "[a](<javascript:alert(1)>)",
        "[a]\n\n[a]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "![a](javascript:alert(1))",
        "[a](vbscript:x)",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        '[a](x "\\" onmouseover=alert(1)")',
        '![" onerror="alert(1)](x)',
        '```" onclick="x\ncode\n```',
    ],
)
@pytest.mark.parametrize("full_page", [False, True])
def test_nothing_in_the_text_becomes_active(hostile: str, full_page: bool):
    class Collector(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.append((tag, attrs))

    collector = Collector()
    collector.feed(output(markdown_to_html, {"text": hostile, "full_page": full_page})["text"])
    assert "script" not in {tag for tag, _ in collector.seen}
    for _, attributes in collector.seen:
        for name, value in attributes:
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert (value or "").split(":")[0].lower() not in ("javascript", "vbscript", "data")


def test_a_full_page_stands_on_its_own():
    page = output(markdown_to_html, {"text": "# *Hello* `you`\n\ntext", "full_page": True, "language": "de"})[
        "text"
    ]
    assert page.startswith("<!DOCTYPE html>\n")
    assert '<html lang="de">' in page
    assert '<meta charset="utf-8">' in page
    assert '<meta name="viewport"' in page
    assert "<title>Hello you</title>" in page
    assert "http" not in page


def test_the_title_is_escaped_and_braces_in_the_text_are_left_alone():
    page = output(markdown_to_html, {"text": "{body} {0}", "full_page": True, "title": "</title><script>&"})[
        "text"
    ]
    assert "<title>&lt;/title&gt;&lt;script&gt;&amp;</title>" in page
    assert "<p>{body} {0}</p>" in page


def test_a_page_language_that_is_no_language_tag_is_refused():
    with pytest.raises(ToolInputError, match="language"):
        call(markdown_to_html, {"text": "a", "language": 'en"><script>'})


def test_deep_nesting_within_a_hundred_levels_is_kept():
    assert "deepest" in output(markdown_to_html, {"text": "> " * 40 + "deepest"})["text"]


@pytest.mark.parametrize("text", ["[" * 3_000, ">" * 3_000, "*a **b " * 900, "![" * 3_000, ""])
def test_pathological_markdown_ends(text: str):
    output(markdown_to_html, {"text": text})
