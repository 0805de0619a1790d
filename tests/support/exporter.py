"""An exporter of OpenTelemetry spans into a file: one OTLP/JSON request per line."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

IDS = {"traceId", "spanId", "parentSpanId"}


class FileExporter(SpanExporter):
    def __init__(self, path: Path) -> None:
        self.path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        request = with_hex_ids(MessageToDict(encode_spans(spans)))
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(request) + "\n")
        return SpanExportResult.SUCCESS


def with_hex_ids(value: Any) -> Any:
    """OTLP/JSON wants ids in hex; protobuf's own JSON has all bytes in base64."""
    if isinstance(value, list):
        return [with_hex_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: b64decode(item).hex() if name in IDS else with_hex_ids(item)
        for name, item in value.items()
    }
