"""Whether a tool's input schema is one that inputs can be checked against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.tools.base import ToolError

if TYPE_CHECKING:
    from referencing import Resource


def checked_schema(schema: object) -> dict[str, Any]:
    """A private copy of *schema*, proven to be a JSON Schema (2020-12) that refers to nothing outside itself.

    :param schema: a tool's ``input_schema``.
    :raises ToolError: with the reason, as the rest of a sentence about the tool.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, Mapping):
        raise ToolError(
            f"its input_schema is {_article(type(schema).__name__)}, expected a JSON Schema object"
        )
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(schema), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"its input_schema is not plain JSON: {error}") from None
    try:
        Draft202012Validator.check_schema(copy)
    except SchemaError as error:
        place = "".join(f"/{part}" for part in error.absolute_path) or "the top"
        raise ToolError(
            f"its input_schema is no JSON Schema (2020-12): at {place}: {error.message[:200]}"
        ) from None
    _check_references(copy)
    return copy


def _check_references(schema: dict[str, Any]) -> None:
    """Refuse a ``$ref`` that leads outside the schema or nowhere: nothing is ever fetched."""
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    root = Resource.from_contents(schema, default_specification=DRAFT202012)
    resolver = Registry().with_resource("", root).crawl().resolver(root.id() or "")
    _check_resource(root, resolver)


def _check_resource(resource: Resource[Any], resolver: Any) -> None:
    from referencing.exceptions import Unresolvable

    here = resolver.in_subresource(resource)
    contents = resource.contents
    for keyword in ("$ref", "$dynamicRef") if isinstance(contents, dict) else ():
        if keyword not in contents:
            continue
        try:
            here.lookup(contents[keyword])
        except Unresolvable:
            raise ToolError(
                f"its input_schema refers to {contents[keyword]!r}, which is not in it"
                " (nothing is fetched: put it under $defs and write '#/$defs/NAME')"
            ) from None
    for part in resource.subresources():
        _check_resource(part, here)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
