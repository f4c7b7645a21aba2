"""Documents made to hang, crash or mislead a reader: small ones, and fillings of a whole mebibyte."""

from __future__ import annotations

MEBIBYTE = 2**20


def filled(head: str, unit: str, tail: str = "") -> bytes:
    """*unit* as often as a mebibyte holds it, between *head* and *tail*."""
    count = (MEBIBYTE - len((head + tail).encode())) // len(unit.encode())
    return (head + unit * count + tail).encode()


BILLION_LAUGHS = b"""\
a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]
e: [*d, *d, *d, *d, *d, *d, *d, *d, *d]
"""

MANY_HANDLES = "".join(f"%TAG !{number}! a\n" for number in range(60_000)).encode()
"""libyaml compares each with all before it."""

UNITS = (
    *("[", "{", '{"a":', '[{"a":', "- ", "- [", "? ", "a: ", "? - ", "- ? "),
    *(
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\0",
        "\x01",
        "\x7f",
        "\u202e",
        "\U0001f600",
    ),
    *('"', "'", '"\\', "\\", '""', "''", '"",', "`", "@", "|\n", ">\n", "#", "#\n", "//", "/*"),
    *("&a ", "*a ", "*a", "- &a a\n", "<<: *a\n", "!", "! ", "!!a "),
    *("%", "%\n", "%YAML 1.1\n", "---\n", "...\n", "--- a\n", "---\n...\n"),
    *(
        ",",
        ":",
        ": ",
        "]",
        "}",
        "0",
        "9",
        "-",
        ".",
        "a",
        "a ",
        "true ",
        "NaN",
        "0,",
        "[],",
        "a:\n",
        "a: b\n",
        "a:a\n",
    ),
)
"""Each repeated until it fills a file."""

FRAMED = (
    *(("[", unit, "0]") for unit in ("NaN,", "{},", '{"":0},')),
    *(
        ('"', unit, '"')
        for unit in ("\\n", "\\ud83d\\ude00", "\\ud800", "\\u0000", "a", '\\"', "\\U0001F600", "\n")
    ),
    *(("{", unit, '"b":1}') for unit in ('"a":0,', "a,", "!a b: c,")),
    ("[", "9", "]"),
    ("[1.", "9", "]"),
    ("[1e", "9", "]"),
    ("[-0.", "0", "1]"),
    ("[" * 160, "a,", "a" + "]" * 160),
    ('{"a":[', "0,", "NaN]}"),
    ("a: |\n", " \n", ""),
    ("a: >\n", " a\n\n", ""),
    ("a: '", "''", "'"),
    ("a", "\n\n a", ""),
    ("- a\n", "- &a {b: *a}\n", ""),
    ("", "- [\n]\n", ""),
    ("? ", "a", "\n: b"),
    ("a: !<", "%61", "> a"),
    ("&", "a", " b"),
)
"""(head, unit, tail): the unit repeated between the two until it fills a file."""

SMALL = (
    b"",
    b" ",
    b"null",
    b"\0",
    b"\xff\xfe{\0}\0",
    b"{\0}\0",
    b"\0\0\0{",
    b"\xef\xbb\xbf",
    b"\xef\xbb\xbf\xef\xbb\xbf{}",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b'{"a": "\xe9"}',
    b'{"a": "\\ud800"}',
    b'{"\\udc00": 1}',
    b'{"a": "\\u0000"}',
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b"- " * 100_000 + b"a",
    b"[NaN, Infinity, -Infinity, 1e999, -1e999]",
    b"9" * 5_000,
    b"-" + b"9" * 5_000,
    BILLION_LAUGHS,
    b"a: &a {b: *a}",
    b"a: !!python/object/apply:os.system [id]",
    b"!!python/name:os.system",
    b"<<: {a: 1}\nb: 2",
    b"? [a, b]\n: c",
    b"? ? ? a",
    b"{{ a }}",
    b"*a : b",
    b"--- a\n--- b",
    b"%TAG ! tag:x,2000:\n---\na: !b c",
    "\u202e{}".encode(),
    '{"a\u202e": "\u202d"}'.encode(),
)
"""Small ones, of every kind."""
