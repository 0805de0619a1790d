"""Values: what the command line's texts mean, without pydantic where nobody can doubt it.

typer asks pydantic even for texts, whose import takes longer than to read a small log. What is not
plain goes to typer as ever, so that its errors are the same.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple


class Plain(NamedTuple):
    """Stands for typer's own conversion of a parameter, which it is spared where it can be."""

    parameter: Any
    annotation: Any

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """`value` as the command takes it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if isinstance(self.annotation, type) and type(value) is self.annotation:
            return value
        if _names(self.annotation, value):
            return self.annotation(value)
        if self.annotation == list[str] and _are_texts(value):
            return list(value)
        return type(self.parameter).get_runtime_param(self.parameter).coerce(value, param, ctx)


def spare_pydantic(command: Any) -> None:
    """Let the parameters of `command` and of its commands take plain values as they are."""
    of_typer = command.get_params

    def spared(ctx: Any) -> list[Any]:
        parameters: list[Any] = of_typer(ctx)
        for parameter in parameters:
            _spare(parameter)
        return parameters

    command.get_params = spared
    for one in getattr(command, "commands", {}).values():
        spare_pydantic(one)


def _spare(parameter: Any) -> None:
    descriptor = getattr(parameter, "type_descriptor", None)
    if descriptor is not None and hasattr(parameter, "get_runtime_param"):
        plain = Plain(parameter, descriptor.annotation)
        parameter.get_runtime_param = lambda: plain


def _names(annotation: Any, value: Any) -> bool:
    """Whether `value` is the name of a choice."""
    choices = isinstance(annotation, type) and issubclass(annotation, Enum)
    return choices and isinstance(value, str) and value in {each.value for each in annotation}


def _are_texts(value: Any) -> bool:
    """Whether these are the texts of an option that was given several times, or never."""
    return isinstance(value, (list, tuple)) and all(type(item) is str for item in value)
