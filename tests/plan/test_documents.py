from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan import json_document, yaml_document
from airflow_provider_vibe.plan.document_builder import DocumentBuilder, Source
from airflow_provider_vibe.plan.documents import Document, DocumentLimits, parse_document
from airflow_provider_vibe.plan.problems import Place, Problem, ProblemCode

LIMITS = DocumentLimits()

PLAN = {
    "id": "newsletter",
    "source_vibe": {"description": "A letter on ${params.topic}", "constraints": ["short"], "metadata": {}},
    "root_nodes": [
        {
            "id": "a",
            "type": "analyze",
            "description": "größer 日本 🎉",
            "children": [],
            "parameters": {"n": -1.5e3},
        },
        {"id": "b", "type": "generate", "description": "", "dependencies": ["a"], "estimated_duration": 30},
    ],
    "schedule": None,
    "x-flags": [True, False, None, 0, -0.0, 12345678901234567890],
}


def parse(text: str | bytes, name: str, limits: DocumentLimits = LIMITS) -> Document:
    return parse_document(text if isinstance(text, bytes) else text.encode(), name, limits)


def from_json(text: str | bytes, limits: DocumentLimits = LIMITS) -> Document:
    return parse(text, "plan.vibe.json", limits)


def from_yaml(text: str | bytes, limits: DocumentLimits = LIMITS) -> Document:
    return parse(text, "plan.vibe.yaml", limits)


def brief(document: Document) -> list[tuple[str, int | None, int | None]]:
    return [(str(problem.code), problem.where.line, problem.where.column) for problem in document.problems]


def only(document: Document) -> Problem:
    assert len(document.problems) == 1, document.problems
    return document.problems[0]


# what is read


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_json_is_read_as_the_standard_library_reads_it(indent: int | None, ensure_ascii: bool) -> None:
    document = from_json(json.dumps(PLAN, indent=indent, ensure_ascii=ensure_ascii))
    assert document.data == PLAN
    assert document.problems == ()


def test_yaml_in_block_notation_means_the_same_as_json() -> None:
    document = from_yaml(yaml.safe_dump(PLAN, sort_keys=False, allow_unicode=True))
    assert document.data == PLAN
    assert document.problems == ()


def test_the_text_of_a_json_plan_is_a_yaml_plan_too() -> None:
    assert from_yaml(json.dumps(PLAN, ensure_ascii=False)).data == PLAN


@pytest.mark.parametrize("name", ["a.vibe.yaml", "a.yml", "A.YAML", "folder.json/b.yml"])
def test_the_file_name_says_that_it_is_yaml(name: str) -> None:
    assert parse("a: b", name).data == {"a": "b"}


@pytest.mark.parametrize("name", ["a.vibe.json", "plan", "a.yaml.txt", ""])
def test_anything_else_is_json(name: str) -> None:
    assert parse('{"a": "b"}', name).data == {"a": "b"}
    assert parse("a: b", name).data is None


@pytest.mark.parametrize(
    "word",
    [
        *(
            "no",
            "Yes",
            "on",
            "True",
            "NULL",
            "~",
            "12:30",
            "2026-01-05",
            "2026-01-05T09:00:00Z",
            "0x10",
            "0o7",
        ),
        *(
            "010",
            "1_000",
            "+1",
            ".5",
            "1.",
            ".nan",
            ".inf",
            "-.inf",
            "NaN",
            "Infinity",
            "1e",
            "=",
            "None",
            "00",
        ),
        "\uff11",
    ],
)
def test_a_plain_scalar_of_yaml_that_json_does_not_know_is_text(word: str) -> None:
    assert from_yaml(f"a: {word}").data == {"a": word}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("null", None),
        ("", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", 1000.0),
    ],
)
def test_a_plain_scalar_of_yaml_that_json_knows_is_what_json_says(word: str, value: Any) -> None:
    data = from_yaml(f"a: {word}").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


@pytest.mark.parametrize("quoted", ['"5"', "'5'", "|-\n  5", ">-\n  5"])
def test_a_scalar_that_is_not_plain_is_text(quoted: str) -> None:
    assert from_yaml(f"a: {quoted}").data == {"a": "5"}


def test_keys_of_yaml_are_their_own_text() -> None:
    assert from_yaml("1: a\nnull: b\ntrue: c\n1e3: d\n? e\n: f\n'': g").data == {
        "1": "a",
        "null": "b",
        "true": "c",
        "1e3": "d",
        "e": "f",
        "": "g",
    }


def test_a_reference_needs_no_quotes_in_yaml() -> None:
    assert from_yaml("a: ${params.topic}").data == {"a": "${params.topic}"}


def test_a_byte_order_mark_is_passed_over() -> None:
    for document in (from_json(b'\xef\xbb\xbf{"a":1,}'), from_yaml(b"\xef\xbb\xbf{a: 1, a: 2}")):
        assert only(document).where.line == 1
    assert from_json(b'\xef\xbb\xbf{"a":1}').place(("a",)).column == 6


# places


@pytest.mark.parametrize("read", [from_json, from_yaml])
def test_every_value_and_key_has_its_place(read: Any) -> None:
    document = read('{\n  "é𝄞": [1,\r\n\t{"b": "x"}\r  , 2], "c":\n"d"}')
    place = document.place
    assert place(()) == Place((), 1, 1, document.place(()).file)
    assert (place(("é𝄞",)).line, place(("é𝄞",)).column) == (2, 9)
    assert (place(("é𝄞",), key=True).line, place(("é𝄞",), key=True).column) == (2, 3)
    assert (place(("é𝄞", 1)).line, place(("é𝄞", 1)).column) == (3, 2)
    assert (place(("é𝄞", 1, "b")).line, place(("é𝄞", 1, "b")).column) == (3, 8)
    assert (place(("é𝄞", 2)).line, place(("é𝄞", 2)).column) == (4, 5)
    assert (place(("c",)).line, place(("c",), key=True).line) == (5, 4)


def test_values_in_block_notation_have_their_place() -> None:
    document = from_yaml("# plan\nroot:\n  - id: a\n    text: >\n      long\n  - b\nempty:\n")
    assert document.place(("root", 0)) == Place(("root", 0), 3, 5, "plan.vibe.yaml")
    assert document.place(("root", 0, "text")) == Place(("root", 0, "text"), 4, 11, "plan.vibe.yaml")
    assert document.place(("root", 0, "text"), key=True).column == 5
    assert document.place(("root", 1)).line == 6
    assert document.place(("empty",)).line == 7


def test_what_is_not_there_has_the_place_of_its_nearest_ancestor() -> None:
    document = from_json('{"a":\n [1]}')
    assert document.place(("a", 5, "b")) == Place(("a", 5, "b"), 2, 2, "plan.vibe.json")
    assert document.place(("b",), key=True).line == 1
    assert document.place(("a", "0")).line == 2
    assert document.place(("a", -1)).column == 2


def test_places_are_looked_for_only_when_one_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    read = json_document.read_carefully
    monkeypatch.setattr(json_document, "read_carefully", lambda builder: calls.append(1) or read(builder))
    document = from_json('{"a": 1}')
    assert calls == []
    document.place(("a",))
    document.place(())
    assert calls == [1]


# what is wrong with it


def test_all_problems_of_a_file_are_told_at_once_with_the_data() -> None:
    document = from_json('{"a": 1,\n "b": "\\ud800",\n "a": NaN,\n "c": {"d": "\\u0000", "d": 1e999}}')
    assert document.data == {"a": 0, "b": "\ufffd", "c": {"d": 0}}
    assert brief(document) == [
        ("bad-text", 2, 7),
        ("duplicate-key", 3, 2),
        ("not-finite", 3, 7),
        ("bad-text", 4, 13),
        ("duplicate-key", 4, 23),
        ("not-finite", 4, 28),
    ]
    assert document.problems[4].where.pointer == ("c", "d")


@pytest.mark.parametrize(("read", "line"), [(from_json, '"a": 1'), (from_yaml, "a: 1")])
def test_a_duplicate_key_names_both_places(read: Any, line: str) -> None:
    document = read("{\n" + line + ",\n" + line + "}")
    problem = only(document)
    assert problem.code is ProblemCode.DUPLICATE_KEY
    assert problem.message == "duplicate key 'a' (also at line 2)"
    assert problem.where == Place(("a",), 3, 1, problem.where.file)


@pytest.mark.parametrize("read", [from_json, from_yaml])
def test_a_problem_has_the_pointer_of_its_value(read: Any) -> None:
    document = read('[[1], [2, {"a": [[], 1e999], "b": 3}], 1e999]')
    assert [problem.where.pointer for problem in document.problems] == [(1, 1, "a", 1), (2,)]
    assert [problem.where for problem in document.problems] == [
        document.place(problem.where.pointer) for problem in document.problems
    ]


def test_the_same_key_in_two_objects_is_no_duplicate() -> None:
    assert from_json('[{"a": 1}, {"a": {"a": 2}}]').problems == ()


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5000]
)
def test_a_number_that_no_double_holds_is_refused_in_json(written: str) -> None:
    problem = only(from_json(f'{{"a": [{written}]}}'))
    assert (problem.code, problem.where.pointer, problem.where.column) == (
        ProblemCode.NOT_FINITE,
        ("a", 0),
        8,
    )
    assert len(problem.message) < 100


@pytest.mark.parametrize("written", ["1e999", "-1e999", "9" * 400, "9" * 5000])
def test_a_number_that_no_double_holds_is_refused_in_yaml(written: str) -> None:
    assert only(from_yaml(f"a: {written}")).code is ProblemCode.NOT_FINITE


@pytest.mark.parametrize(
    "written", ["1e308", "9" * 308, "-" + "9" * 308, "1e-999", "0." + "1" * 5000, "1" + "0" * 308]
)
def test_a_number_that_a_double_holds_is_read(written: str) -> None:
    for document in (from_json(written), from_yaml(written)):
        assert document.problems == ()
        assert document.data == json.loads(written)


@pytest.mark.parametrize(("read", "name"), [(from_json, "json"), (from_yaml, "yaml")])
def test_a_pair_of_surrogates_is_a_character_where_json_says_so(read: Any, name: str) -> None:
    document = read('{"a": "\\ud83d\\ude00"}')
    if name == "json":
        assert document.data == {"a": "😀"}
        assert document.problems == ()
    else:  # YAML knows no pairs
        assert only(document).code is ProblemCode.BAD_TEXT


def test_a_backslash_before_the_letter_u_is_no_escape() -> None:
    assert from_json(r'{"a": "\\ud800 \\u0000"}').problems == ()


@pytest.mark.parametrize("read", [from_json, from_yaml])
def test_a_text_that_is_too_long_is_told_with_its_length(read: Any) -> None:
    document = read('{"a": "' + "é" * 20_001 + '", "b": "' + "x" * 20_000 + '"}')
    assert only(document).message == "a string of 20,001 characters; at most 20,000 are allowed"
    key = only(
        read('{? "' + "k" * 20_001 + '": 1}') if read is from_yaml else read('{"' + "k" * 20_001 + '": 1}')
    )
    assert key.code is ProblemCode.TOO_LONG
    assert len(str(key)) < 200


@pytest.mark.parametrize("read", [from_json, from_yaml])
@pytest.mark.parametrize(("opener", "closer"), [("[", "]"), ('{"a": ', "}")])
def test_nesting_is_allowed_up_to_the_limit(read: Any, opener: str, closer: str) -> None:
    empty = "[]" if opener == "[" else "{}"
    assert read(opener * 163 + empty + closer * 163).problems == ()
    document = read(opener * 164 + empty + closer * 164)
    assert document.data is None
    assert only(document).code is ProblemCode.TOO_DEEP
    assert only(document).where.column == 164 * len(opener) + 1


@pytest.mark.parametrize("read", [from_json, from_yaml])
def test_a_file_of_nothing_but_tiny_values_is_too_large(read: Any) -> None:
    assert read("[" + "0," * 149_794 + "0]").problems == ()
    document = read("[" + "0," * 149_795 + "0]")
    assert document.data is None
    assert only(document).code is ProblemCode.TOO_LARGE
    assert only(document).where.pointer == (149_795,)


def test_a_file_over_the_limit_of_bytes_is_too_large() -> None:
    assert only(from_json(b" " * 2**20 + b"1")).code is ProblemCode.TOO_LARGE
    assert from_json(b" " * (2**20 - 1) + b"1").data == 1


def test_very_many_problems_end_in_a_count() -> None:
    document = from_json("[" + "NaN," * 1000 + "0]")
    assert len(document.problems) == 101
    assert document.problems[-1].message == "and 900 more problems"


def test_an_error_of_syntax_is_told_behind_however_many_others() -> None:
    document = from_json("[" + "NaN," * 1000 + "]")
    assert ProblemCode.SYNTAX in {problem.code for problem in document.problems}


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [
        (b'{"a": "\xe9"}', 1, 8),
        ("{\n 'é".encode() + b"\xff", 2, 4),
        (b"\xed\xa0\x80", 1, 1),
        (b"\xc0\x80", 1, 1),
    ],
)
def test_the_first_byte_that_is_not_utf_8_has_its_place(raw: bytes, line: int, column: int) -> None:
    for document in (from_json(raw), from_yaml(raw)):
        assert document.data is None
        assert brief(document) == [("bad-encoding", line, column)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_unicode_encodings_are_named(encoding: str) -> None:
    for document in (from_json('{"a": "é"}'.encode(encoding)), from_yaml("a: é".encode(encoding))):
        problem = only(document)
        assert problem.code is ProblemCode.BAD_ENCODING
        assert encoding.upper() in problem.message
        assert problem.hint == "save it as UTF-8"


def test_a_nul_is_bad_text_at_its_place() -> None:
    assert brief(from_json('{"a":\n "x\0y"}')) == [("bad-text", 2, 4)]
    assert brief(from_yaml("a: b\nc: d\0e")) == [("bad-text", 2, 5)]
    assert brief(from_yaml('a: "\\0"')) == [("bad-text", 1, 4)]


@pytest.mark.parametrize("char", ["\x01", "\x7f", "\x85", "\u2028", "\ufffe"])
def test_a_character_that_not_every_yaml_reader_takes_for_the_same_is_bad_text(char: str) -> None:
    document = from_yaml(f"a: b\nc: x{char}y\nd: 1")
    assert brief(document) == [("bad-text", 2, 5)]
    assert document.data == {"a": "b", "c": "x\ufffdy", "d": 1}
    assert brief(from_yaml(f'a: "{char}"')) == [("bad-text", 1, 5)]
    assert from_yaml(f'a: "\\U{ord(char):08x}"').data == {"a": char}


# YAML only


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("a: !!str 5", "a tag '!!str'", (1, 4)),
        ("a: ! 5", "a tag '!'", (1, 4)),
        ("a: !important x", "a tag '!important'", (1, 4)),
        ("a: !x [1]", "a tag '!x'", (1, 4)),
        ("!x a: 1", "a tag '!x'", (1, 1)),
        ("a: !foo!bar 5", "a tag", (1, 4)),
        ("a: &x 1", "an anchor '&x'", (1, 4)),
        ("a: &x {b: 1}", "an anchor '&x'", (1, 4)),
        ("a: *x", "an alias '*x'", (1, 4)),
        ("*x : 1", "an alias '*x'", (1, 1)),
        ("a: 1\n<<: {b: 1}", "a merge key '<<'", (2, 1)),
        ("? [a]\n: b", "an object or a list as a key", (1, 3)),
        ("a: {{ b }}", "an object or a list as a key", (1, 5)),
        ("a: 1\n---\nb: 1", "a second document in the same file", (2, 1)),
        ("a: 1\n...\n%YAML 1.1\n---\nb: 1", "a second document in the same file", (3, 1)),
        ("# c\n%YAML 1.1\n---\na: 1", "a YAML directive", (2, 1)),
        ("%ANY thing\n---\na: 1", "a YAML directive", (1, 1)),
    ],
)
def test_what_json_has_not_is_refused_in_yaml(text: str, what: str, place: tuple[int, int]) -> None:
    problem = only(from_yaml(text))
    assert (problem.code, problem.message) == (ProblemCode.FORBIDDEN_YAML, what)
    assert (problem.where.line, problem.where.column) == place
    assert problem.hint


def test_every_forbidden_thing_of_a_file_is_told_and_the_rest_is_read() -> None:
    document = from_yaml("a: !!int 1\nb: &x [2, *x, 3]\n<<: *x\n? {c: !t d}\n: e\nf: 4")
    assert document.data == {"a": 1, "b": [2, 3], "f": 4}
    assert [line for _, line, _ in brief(document)] == [1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    "text", ["'<<': 1", '"&a": "*b"', "a: '!x'", "a: x & y * z !", "a: 5% off", "---\na: 1", "a: 1\n..."]
)
def test_what_only_looks_forbidden_is_read(text: str) -> None:
    assert from_yaml(text).problems == ()


# syntax


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "the file is empty"),
        (" \n", 1, 1, "the file is empty"),
        ('{"a": 1,\n}', 1, 8, "remove the comma"),
        ("[1,]", 1, 3, "remove the comma"),
        ("{'a': 1}", 1, 2, "straight double quotes"),
        ("{\"a\": 'x'}", 1, 7, "straight double quotes"),
        ('{"a": “x”}', 1, 7, "straight double quotes"),
        ('{"a": 1 // one\n}', 1, 9, "no comments"),
        ("# plan\n{}", 1, 1, "no comments"),
        ("{a: 1}", 1, 2, 'double quotes: "a"'),
        ('{"a" 1}', 1, 6, "expected ':' after the key 'a'"),
        ('{"a": 1 "b": 2}', 1, 9, "comma missing"),
        ('{"a": "b\nc"}', 1, 7, "runs over the end of its line"),
        ('{"a": "b', 1, 7, "never closed"),
        ('{"a": "\t"}', 1, 8, 'write it as "\\t"'),
        ('{"a": "C:\\path"}', 1, 10, "backslash"),
        ('{"a": True}', 1, 7, "write true"),
        ('{"a": hello}', 1, 7, "double quotes"),
        ('{"a": 01}', 1, 7, "not a number"),
        ('{"a": .5}', 1, 7, "begins with a digit"),
        ('{"a": [1, 2}', 1, 12, "the '[' of line 1"),
        ('{\n"a": [1, 2', 2, 11, "the '[' of line 2 is closed"),
        ("{} {}", 1, 4, "one plan per file"),
        ("id: x\n", 1, 1, "ends in .yaml"),
        ("```json\n{}\n```", 1, 1, "Markdown"),
        ("{}\n```", 2, 1, "Markdown"),
    ],
)
def test_a_slip_in_json_is_told_in_plain_words(text: str, line: int, column: int, words: str) -> None:
    document = from_json(text)
    assert document.data is None
    assert brief(document) == [("syntax", line, column)]
    assert words in str(only(document))


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "the file is empty"),
        ("# nothing\n", 1, 1, "the file is empty"),
        ("a:\n\tb: 1", 2, 1, "a tab in the indentation"),
        ("a:b\nc: d", 2, 2, "a space after the colon"),
        ("c: d\na:b\ne: f", 2, 1, "a space after the colon"),
        ('"a":b', 1, 4, "a space after the colon"),
        ("a: Facts: the list", 1, 9, "is written in quotes"),
        ("a: b\n  c: d", 2, 4, "check the indentation"),
        ("a:\n    b: 1\n   c: 2", 3, 4, "check the indentation"),
        ("a: {b", 1, 4, "'{' that is not closed"),
        ("a: {b} c", 1, 8, "the quotes"),
        ("a: [b", 1, 4, "'[' that is not closed"),
        ("a: @b", 1, 4, "begins with '@'"),
        ("a: `b`", 1, 4, "begins with '`'"),
        ("a: %b", 1, 4, "begins with '%'"),
        ("a: **b**", 1, 4, "begins with '*'"),
        ("a: & b", 1, 4, "begins with '&'"),
        ("a: 'b\nc: d", 1, 4, "never closed"),
        ('a: "b\nc: d', 1, 4, "never closed"),
        ('a: "C:\\data"', 1, 7, "backslash"),
        ("a: - b", 1, 4, "a line of its own"),
        ("```yaml\na: b\n```", 1, 1, "Markdown"),
        ("a: b\n```", 2, 1, "Markdown"),
    ],
)
def test_a_slip_in_yaml_is_told_in_plain_words(text: str, line: int, column: int, words: str) -> None:
    document = from_yaml(text)
    assert document.data is None
    assert brief(document) == [("syntax", line, column)]
    assert words in str(only(document))


def test_what_was_found_before_a_syntax_error_is_told_too() -> None:
    assert brief(from_json('{"a": NaN,\n"a": 1,\n}')) == [
        ("not-finite", 1, 7),
        ("duplicate-key", 2, 1),
        ("syntax", 2, 7),
    ]
    assert brief(from_yaml("a: !x 1\na: 2\nb: @c")) == [
        ("forbidden-yaml", 1, 4),
        ("duplicate-key", 2, 1),
        ("syntax", 3, 4),
    ]


# laws

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)


def has_only_text(data: Any) -> bool:
    return not any(char in json.dumps(data, ensure_ascii=False) for char in ("\\u0000",))


def carefully(notation: Any, text: str) -> DocumentBuilder:
    builder = DocumentBuilder(Source(text, "x"), LIMITS)
    notation.read_carefully(builder)
    return builder


def pointers(data: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at, *(pointer for key, value in members for pointer in pointers(value, (*at, key)))]


@given(JSON.filter(has_only_text), st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None)
def test_the_careful_reader_of_json_reads_what_the_quick_one_reads(
    data: Any, indent: int, ascii_only: bool
) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    builder = carefully(json_document, text)
    assert builder.problems == ()
    assert repr(builder.data) == repr(from_json(text).data) == repr(data)


@given(JSON.filter(has_only_text))
@settings(deadline=None)
def test_the_text_of_json_is_read_alike_in_both_notations(data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False)
    document = from_yaml(text)
    if not document.problems:
        assert repr(document.data) == repr(from_json(text).data) == repr(data)
    elif not re.search("[^\n\x20-\x7e\xa0-\u2027\u202a-\ufffd\U00010000-\U0010ffff]", text):
        raise AssertionError(document.problems)
    assert repr(carefully(yaml_document, text).data) == repr(document.data)


@given(JSON.filter(has_only_text), st.booleans())
@settings(deadline=None)
def test_every_value_is_at_its_place(data: Any, in_yaml: bool) -> None:
    text = json.dumps(data, indent=1)
    if in_yaml and "\\ud" in text:
        return
    document = from_yaml(text) if in_yaml else from_json(text)
    decoder = json.JSONDecoder()
    lines = text.split("\n")
    for pointer in pointers(document.data):
        value = document.data
        for part in pointer:
            value = value[part]
        place = document.place(pointer)
        assert place.line is not None and place.column is not None
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        assert repr(decoder.raw_decode(rest)[0]) == repr(value)
        if pointer and isinstance(pointer[-1], str):
            key = document.place(pointer, key=True)
            assert key.line is not None and key.column is not None
            assert decoder.raw_decode(lines[key.line - 1][key.column - 1 :])[0] == pointer[-1]


@given(
    st.recursive(
        st.text(max_size=3),
        lambda texts: st.lists(texts, max_size=3) | st.dictionaries(st.text(max_size=3), texts, max_size=3),
    )
)
@settings(deadline=None)
def test_yaml_in_block_notation_is_read_as_it_was_meant(data: Any) -> None:
    document = from_yaml(yaml.dump(data, Dumper=yaml.SafeDumper, default_style="'", allow_unicode=True))
    assert {problem.code for problem in document.problems} <= {ProblemCode.BAD_TEXT}
    if not document.problems:
        assert document.data == data


def test_without_libyaml_the_same_is_read_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        json.dumps(PLAN, ensure_ascii=False),
        yaml.safe_dump(PLAN),
        "a: !x 1\nb: &y 2\nc: *y\na: 1",
        "a: @b",
        "a:\n\tb",
    ]
    texts += [
        "",
        "a: 'b",
        "a: {b",
        "a: 1\n---\nb: 2",
        "%YAML 1.1\n---\na: 1",
        "a: \x01",
        "? [a]\n: b",
        "a: b: c",
        "- a\nb",
    ]
    expected = [(from_yaml(text).data, brief(from_yaml(text))) for text in texts]
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert [(from_yaml(text).data, brief(from_yaml(text))) for text in texts] == expected
