"""Usage summaries: what agents log of `UsageCollector.get_summary()` at the end of a session."""

from __future__ import annotations

from turnlat.readers.fields import Decoded, JsonObject, typed, unix_seconds

NAME = "usage summary"
ABOUT = "a logged UsageSummary, or a session_usage_updated event: counted; usage comes from metrics"
EXAMPLE = (
    '{"message": "Usage: UsageSummary(llm_prompt_tokens=2455, llm_completion_tokens=89)", '
    '"level": "INFO", "timestamp": "2026-11-22T07:21:12.940831+00:00"}'
)


def decode(line: JsonObject) -> list[Decoded] | None:
    """A record that only counts: it sums up metrics that the log has one by one."""
    message = line.get("message")
    summary = isinstance(message, str) and "UsageSummary(" in message
    if not summary and line.get("type") != "session_usage_updated":
        return None
    time = unix_seconds(line.get("timestamp", line.get("created_at")))
    return [Decoded("other", typed("other", {"type": NAME, "timestamp": time}))]
