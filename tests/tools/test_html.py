from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin.html import html_to_markdown, plain_text
from tests.tools.helpers import call, output


def markdown(html: str) -> str:
    return output(html_to_markdown, {"text": html})["text"]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h1>One</h1><h2>Two</h2><p>three</p>", "# One\n\n## Two\n\nthree"),
        ("<p>a <b>b</b> <em>c</em> <code>d</code></p>", "a **b** *c* `d`"),
        ('<a href="https://a.example/?x=1&amp;y=2">there</a>', "[there](https://a.example/?x=1&y=2)"),
        ('<a href="/here">here</a> <a href="#x">x</a>', "[here](/here) [x](#x)"),
        ('<img src="a.png" alt="A">', "![A](a.png)"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("<pre><code>x\n\n\n\n  y</code></pre>", "```\nx\n\n\n\n  y\n```"),
        ("just text &amp; more", "just text & more"),
    ],
)
def test_html_becomes_markdown(html: str, expected: str):
    assert markdown(html) == expected


@pytest.mark.parametrize(
    "hidden",
    [
        *("<script>X</script>", "<style>X</style>", "<noscript>X</noscript>", "<template>X</template>"),
        *("<svg><text>X</text></svg>", "<iframe>X</iframe>", "<!-- X -->", "<title>X</title>"),
        *(
            '<object data="X">X</object>',
            '<script type="text/plain">X</script>',
            '<img src="data:image/png,X">',
        ),
    ],
)
def test_what_nobody_reads_is_left_out(hidden: str):
    assert markdown(f"<p>before</p>{hidden}<p>after</p>") == "before\n\nafter"


@pytest.mark.parametrize(
    "address",
    ["javascript:x()", " JavaScript:x()", "java\tscript:x()", "\x01vbscript:x", "data:text/html,x", "x-y:z"],
)
def test_a_link_to_code_keeps_its_words_only(address: str):
    assert markdown(f'<p>go <a href="{address}">there</a></p>') == "go there"


@pytest.mark.parametrize("address", ["mailto:a@b.example", "tel:123", "//c.example/", "?q=a:b", "a/b:c"])
def test_a_link_that_leads_somewhere_is_kept(address: str):
    assert markdown(f'<a href="{address}">x</a>') == f"[x]({address})"


def test_the_title_of_the_page_is_told():
    page = "<html><head><title> A &amp; <b></title></head><body><p>x</body></html>"
    assert output(html_to_markdown, {"text": page}) == {"text": "x", "title": "A & <b>"}
    assert output(html_to_markdown, {"text": "x"})["title"] is None


def test_without_a_text_the_texts_of_the_dependencies_are_taken():
    found = output(html_to_markdown, previous_outputs={"page": {"text": "<h1>Hi</h1>"}})
    assert found["text"] == "# Hi"


def test_html_nested_too_deeply_is_told():
    with pytest.raises(ToolInputError, match="nested too deeply"):
        call(html_to_markdown, {"text": "<div>" * 5000})


@given(st.text(max_size=200))
def test_any_text_gives_a_text(text: str):
    assert isinstance(markdown(text), str)


def test_plain_text_is_on_one_line():
    assert plain_text("<p>a\n b</p><br>c &lt;d&gt;") == "a b c <d>"
    assert plain_text("a\n  b") == "a b"
