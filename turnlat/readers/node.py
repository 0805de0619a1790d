"""Node lines: what `@livekit/agents` logs through pino, and its metrics objects."""

from __future__ import annotations

from turnlat.readers import hook, production
from turnlat.readers.fields import Decoded, JsonObject, text_or_none
from turnlat.readers.naming import in_seconds, is_foreign

NAME = "node"
ABOUT = "a metrics object or a logMetrics line of a Node agent (@livekit/agents 1.x)"
EXAMPLE = (
    '{"level":30,"time":1795332440494,"pid":20675,"hostname":"vm","ttftMs":456.79,'
    '"inputTokens":512,"outputTokens":42,"tokensPerSecond":34.02,"msg":"LLM metrics"}'
)


def decode(line: JsonObject) -> list[Decoded] | None:
    """The record of a line with Node's names, or with fields in milliseconds."""
    if hook.is_whole(line) or production.is_whole(line) or not is_foreign(line):
        return None
    fields = in_seconds(line)
    if "msg" in fields:
        fields |= {"message": fields["msg"], "timestamp": fields.get("time")}
    decoded = hook.decode(fields) or production.decode(fields)
    if decoded is None:
        return None
    known = {name: text_or_none(fields.get(name)) for name in ("job_id", "room")}
    return [record._replace(origin=known) for record in decoded]
