"""OTLP/JSON: the spans of one export request, and how they hang together."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from turnlat.readers.fields import BadValueError, JsonObject

Attributes = Mapping[str, str | float | bool]

_NANOSECOND = 1e-9
_SCALARS = ("stringValue", "doubleValue", "intValue", "boolValue")


class Event(NamedTuple):
    """Something that happened during a span, at a Unix time."""

    name: str
    at: float | None
    attributes: Attributes


class Span(NamedTuple):
    """One operation between two Unix times."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start: float | None
    end: float | None
    attributes: Attributes
    """Those with a single value."""
    events: tuple[Event, ...]
    resource: Attributes
    """What the exporting process says of itself."""


class Trace:
    """The spans that one request holds of one trace; a span's parent may be in a later request."""

    def __init__(self, spans: list[Span]) -> None:
        self.spans = spans
        self._by_id = {span.span_id: span for span in spans if span.span_id}
        self._children: dict[str, list[Span]] = defaultdict(list)
        for span in spans:
            self._children[span.parent_id].append(span)

    def named(self, *names: str) -> list[Span]:
        """The spans with one of `names`."""
        return [span for span in self.spans if span.name in names]

    def children(self, span: Span, *names: str) -> list[Span]:
        """The spans right below `span` with one of `names`."""
        return [child for child in self._children[span.span_id] if child.name in names]

    def upwards(self, span: Span) -> Iterator[Span]:
        """`span`, its parent, and so on, as far as this request holds them."""
        seen = set()
        above: Span | None = span
        while above is not None and above.span_id not in seen:
            yield above
            seen.add(above.span_id)
            above = self._by_id.get(above.parent_id)


def is_request(line: JsonObject) -> bool:
    """Whether `line` is an export request for spans."""
    return isinstance(_get(line, "resourceSpans"), list)


def resource_spans(request: JsonObject) -> list[JsonObject]:
    """The spans of each resource that an export request holds."""
    return _objects(request, "resourceSpans")


def traces(request: JsonObject) -> list[Trace]:
    """The traces of an export request, in the order of their first spans.

    Raises `BadValueError` where a time is none.
    """
    by_trace: dict[str, list[Span]] = defaultdict(list)
    for group in resource_spans(request):
        resource = _attributes(_object(group, "resource"))
        for scope_spans in _objects(group, "scopeSpans"):
            for span in _objects(scope_spans, "spans"):
                by_trace[_text(span, "traceId")].append(_span(span, resource))
    return [Trace(spans) for spans in by_trace.values()]


def _span(span: JsonObject, resource: Attributes) -> Span:
    return Span(
        trace_id=_text(span, "traceId"),
        span_id=_text(span, "spanId"),
        parent_id=_text(span, "parentSpanId"),
        name=_text(span, "name"),
        start=_time(span, "startTimeUnixNano"),
        end=_time(span, "endTimeUnixNano"),
        attributes=_attributes(span),
        events=tuple(
            Event(_text(event, "name"), _time(event, "timeUnixNano"), _attributes(event))
            for event in _objects(span, "events")
        ),
        resource=resource,
    )


def _attributes(owner: JsonObject) -> Attributes:
    pairs = ((_text(pair, "key"), _scalar(pair)) for pair in _objects(owner, "attributes"))
    return {key: value for key, value in pairs if value is not None}


def _scalar(pair: JsonObject) -> str | float | bool | None:
    """An attribute's value; null where it is a list, a map or nothing."""
    value = _object(pair, "value")
    for kind in _SCALARS:
        found = _get(value, kind)
        if isinstance(found, str) and kind != "stringValue":
            return _number(_text(pair, "key"), found)
        if isinstance(found, (str, bool, int, float)):
            return found
    return None


def _time(owner: JsonObject, name: str) -> float | None:
    """Unix seconds; nanoseconds are written as text since JSON numbers cannot hold them."""
    found = _get(owner, name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, (str, int, float)):
        raise BadValueError(f"{name}: expected nanoseconds, got {str(found)[:40]}")
    return _number(name, found) * _NANOSECOND or None


def _number(name: str, value: str | float) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError) as error:
        raise BadValueError(f"{name}: {str(value)[:40]!r} is no number") from error


def _objects(owner: JsonObject, name: str) -> list[JsonObject]:
    found = _get(owner, name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _object(owner: JsonObject, name: str) -> JsonObject:
    found = _get(owner, name)
    return found if isinstance(found, dict) else {}


def _text(owner: JsonObject, name: str) -> str:
    found = _get(owner, name)
    return found if isinstance(found, str) else ""


def _get(owner: JsonObject, name: str) -> object:
    """The field `name`, under the name in the protocol's JSON or in its definition."""
    return owner[name] if name in owner else owner.get(_snake(name))


@cache
def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)
