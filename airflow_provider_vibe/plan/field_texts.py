"""What each field of a model is for: the text that stands below the field in the model's source."""

from __future__ import annotations

import ast
import inspect
import sys
from itertools import pairwise


def texts_below_fields(model: type) -> dict[str, str]:
    """The text below each field, by the name of the field.

    :param model: a class at the top of its module.
    """
    module = ast.parse(inspect.getsource(sys.modules[model.__module__]))
    (source,) = (
        each for each in module.body if isinstance(each, ast.ClassDef) and each.name == model.__name__
    )
    texts = {}
    for field, text in pairwise(source.body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(value=ast.Constant(value=str(told))):
                    texts[field.target.id] = inspect.cleandoc(told)
    return texts
