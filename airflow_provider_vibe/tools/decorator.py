"""``@tool``: a plain function becomes a tool, its input schema taken from its signature."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, overload

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ArgsKwargs

from airflow_provider_vibe.plan.problems import one_line
from airflow_provider_vibe.tools.base import ToolError, ToolInputError, ToolResult
from airflow_provider_vibe.tools.threads import run_in_thread

_CONTEXT = "context"
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class FunctionTool:
    """A function as a tool. It can still be called like the function it was made from.

    :param function: plain or async. Its parameters are the inputs; one named ``context`` receives the tool
        context instead. A plain function runs in a thread.
    :param name: how a plan asks for it; default: the function's name.
    :param description: default: the first paragraph of the docstring.
    :param calls_models: whether it asks models; then it is not started once a plan's budget is spent.
    :raises ToolError: the signature cannot be described as JSON.
    """

    input_schema: Mapping[str, Any]

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None = None,
        description: str | None = None,
        calls_models: bool = False,
    ) -> None:
        if not (inspect.isfunction(function) or inspect.ismethod(function)):
            raise ToolError(f"@tool is for functions, not for {function!r}")
        self.function = function
        self.name = name if name is not None else function.__name__
        self.description = description if description is not None else _first_paragraph(function)
        self.calls_models = calls_models
        self._takes_context = _CONTEXT in inspect.signature(function).parameters
        self._arguments = _arguments_of(function)
        try:
            self.input_schema = self._arguments.json_schema()
        except PydanticUserError as error:
            raise ToolError(_cannot_describe(function, error)) from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.name!r} from {self.function.__module__}.{self.function.__qualname__}>"

    async def execute(self, inputs: dict[str, Any], context: dict[str, Any]) -> ToolResult:
        """Call the function with *inputs*, converted to the types of its signature.

        A :class:`ToolResult` is passed on; a string becomes ``{"text": ...}``; anything else is the output.

        :raises ToolInputError: the inputs do not fit the signature.
        """
        try:
            arguments = self._arguments.validate_python(ArgsKwargs((), inputs))
        except ValidationError as error:
            raise ToolInputError(f"tool {self.name!r}: {_in_one_line(error)}") from None
        if self._takes_context:
            arguments[_CONTEXT] = context
        if inspect.iscoroutinefunction(self.function):
            return _as_result(await self.function(**arguments))
        return _as_result(await run_in_thread(self.function, **arguments))


@overload
def tool(name: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(
    name: str | None = None, *, description: str | None = None, calls_models: bool = False
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(name: Any = None, *, description: str | None = None, calls_models: bool = False) -> Any:
    """Make a function a tool: ``@tool``, ``@tool("word_count")`` or ``@tool("word_count", description=...)``.

    :param name: how a plan asks for it; default: the function's name.
    :param description: default: the first paragraph of the function's docstring.
    :param calls_models: whether it asks models; then it is not started once a plan's budget is spent.
    """
    if callable(name):
        return FunctionTool(name)
    return lambda function: FunctionTool(function, name, description, calls_models)


def _arguments_of(function: Callable[..., Any]) -> TypeAdapter[dict[str, Any]]:
    """What pydantic makes of the signature without ``context``: a schema, and a check of the arguments."""
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ToolError(
            f"{function.__qualname__}: a type in its signature cannot be found: {error}"
            " (it must be importable when the function is decorated, not only under TYPE_CHECKING)"
        ) from error
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.kind not in _NAMED:
            raise ToolError(
                f"{function.__qualname__}: {parameter} has no name of its own;"
                " a tool's inputs are passed by name, so write every parameter out"
            )
        if parameter.name != _CONTEXT:
            annotation = hints.get(parameter.name, Any)
            parameters.append(parameter.replace(annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY))

    def collect(**arguments: Any) -> dict[str, Any]:
        return arguments

    collect.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect.signature
        parameters=parameters, return_annotation=inspect.Signature.empty
    )
    collect.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    try:
        return TypeAdapter(collect)  # type: ignore[arg-type]  # pydantic takes functions, its types do not say so
    except PydanticUserError as error:
        raise ToolError(_cannot_describe(function, error)) from error


def _cannot_describe(function: Callable[..., Any], error: Exception) -> str:
    reason = str(error).splitlines()[0]
    return f"{function.__qualname__}: its parameters cannot be described as JSON: {reason}"


def _first_paragraph(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").split("\n\n", 1)[0].split())


def _in_one_line(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        one_line(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}") for item in found
    )


def _as_result(produced: Any) -> ToolResult:
    if isinstance(produced, ToolResult):
        return produced
    return ToolResult(success=True, output={"text": produced} if isinstance(produced, str) else produced)
