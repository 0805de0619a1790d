"""The catalogue of metrics: name, label, meaning. Help, tables and the README's table read it.

To add a metric: an entry in `METRICS`, and the expression that computes it in `turns`.
"""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    """A named number of seconds that a turn has. Less is better for all of them."""

    name: str
    label: str
    meaning: str


COMPONENTS = (
    Metric("transcription_delay", "transcription", "end of speech → final transcript"),
    Metric("endpointing_delay", "endpointing", "final transcript → the turn detector's decision"),
    Metric("callback_delay", "callback", "the agent's own `on_user_turn_completed`"),
    Metric(
        "llm_offset",
        "LLM offset",
        "decision and callback done → start of the first LLM call; "
        "negative where generation was preemptive: the time that saved",
    ),
    Metric("llm_ttft", "LLM first token", "first LLM call: request → first token"),
    Metric(
        "tool_gap",
        "tools",
        "first token of the first LLM call → first token of the spoken one; 0 where they are one",
    ),
    Metric("sentence_gap", "first sentence", "that token → the first sentence goes to the TTS"),
    Metric("tts_ttfb", "TTS first byte", "text handed to the TTS → first audio"),
    Metric(
        "remainder",
        "remainder",
        "the wait less all of these: 0 where all are known, the whole rest where one was not "
        "measured, negative where filler speech covered part of the wait",
    ),
)
"""The parts of `e2e_latency`, in the order in which they happen; they always add up to it."""

WAITS = (
    Metric("e2e_latency", "wait (e2e)", "end of the user's speech → first sound of the answer"),
    Metric(
        "total_latency",
        "total (formula)",
        "LiveKit's documented sum `eou_delay + llm_ttft + tts_ttfb`, or that of `--total`",
    ),
    Metric(
        "longest_silence",
        "longest silence",
        "longest time without agent audio from the end of the user's speech to the end of the "
        "answer",
    ),
    Metric(
        "eou_delay",
        "end of utterance",
        "end of speech → the turn detector's decision: transcription and endpointing",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in (WAITS[0], *COMPONENTS, *WAITS[1:])}
"""All metrics, in the order in which tables show them."""

SUMMABLE = ("eou_delay", *(c.name for c in COMPONENTS if c.name != "remainder"))
"""What `--total` can add up."""

DEFAULT_TOTAL = ("eou_delay", "llm_ttft", "tts_ttfb")
"""LiveKit's documented formula (docs.livekit.io, agents/build/metrics)."""
