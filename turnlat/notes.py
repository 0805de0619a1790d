"""Every sentence that a reader must know before trusting a number, ending in what to do."""

from __future__ import annotations

from dataclasses import dataclass

TURN_NOTES: dict[str, str] = {
    "eou-unknown": (
        "the end of speech was not detected (both EOU delays 0), so the wait is unknown; "
        "check the VAD's sensitivity"
    ),
    "eou-implausible": (
        "the EOU delay is no delay (a Unix time, over 10 minutes, or negative), so the wait is "
        "unknown; upgrade livekit-agents if it is older than 1.1.2"
    ),
    "eou-stale": (
        "the EOU delay counts from earlier speech (the VAD missed this one), so the wait is "
        "unknown; check the VAD's sensitivity"
    ),
    "eou-repeated": "several EOU records carry this speech_id; the first one counts",
    "clock-step": (
        "the first audio is not after the end of speech: the clock was set back; what spans "
        "clock times is unknown"
    ),
    "no-llm": (
        "no LLM metrics (a custom llm_node, or a listener that missed them): the remainder holds "
        "that part of the wait"
    ),
    "no-first-token": "an LLM call that gave no token (ttft −1); that call has no llm_ttft",
    "no-first-byte": "a synthesis that gave no audio (ttfb −1); it does not count as speech",
    "no-duration": (
        "its TTS record has no duration, so the wait cannot be measured, only summed up "
        "(total_latency); record whole metrics objects to have it"
    ),
    "continued": "the answer came under further speech_ids (tool reply or hand-off)",
    "filler": "filler speech was heard before the answer; the wait ends there",
    "held-back": (
        "the answer was ready before the turn was decided and was held back until then; the "
        "remainder holds that time"
    ),
    "implausible": (
        "a duration that no component can have (negative, or over a day): it counts as not measured"
    ),
    "maybe-heard": (
        "the LLM call was cut short and no TTS record followed: with a streaming TTS the user may "
        "have heard the beginning of the answer"
    ),
    "overtaken": (
        "the user had spoken again before the answer could be heard: it may never have been"
    ),
    "neighbours-unknown": (
        "several conversations share this file and nothing tells them apart, so rules that look "
        "at neighbouring turns were not applied; log job_id or room"
    ),
    "e2e-reported": (
        "its TTS record has no duration, so the wait is the one that LiveKit reports in its chat "
        "message"
    ),
    "e2e-differs": (
        "LiveKit's chat message reports a wait that differs by more than 50 ms from that of the "
        "metrics, which is shown; look at that turn's records"
    ),
    "speaking-differs": (
        "the agent began to speak more than 50 ms from the first audio of the metrics, which is "
        "shown; look at that turn's records"
    ),
    "sentence-inside": (
        "tts_ttfb may hold the wait for the first sentence, as LiveKit before 1.6.5 reports it; "
        "upgrade to 1.6.9 or record whole metrics objects to have them apart"
    ),
    "ids-repeated": "speech_ids repeat across sessions; each session's are its own",
}
"""Notes of single turns, by the code that the `notes` column holds."""

RUN_NOTES: dict[str, str] = {
    "inferred": (
        "the LLM and TTS records carry no speech_id: turns were put together by order and time; "
        "record whole metrics objects to have them exact"
    ),
    "messages": (
        "turns and speeches were made of chat messages, joined by order; the LLM's start and tool "
        "calls are in the remainder; record whole metrics objects to have them apart"
    ),
    "no-eou": (
        "there is no EOU record, so nobody knows when users stopped; llm_ttft and tts_ttfb are "
        "over all speeches"
    ),
    "unmeasured": (
        "sessions without TTS metrics in any speech: whether these users heard an answer is unknown"
    ),
    "unmeasured-only": "no turn has TTS metrics: the statistics are over the unmeasured turns",
    "realtime-only": "the statistics are over the responses of a speech-to-speech model",
    "realtime-apart": (
        "responses of a speech-to-speech model are not in the statistics; --by outcome shows them"
    ),
    "unattributed": (
        "LLM or TTS records without a speech_id that no rule gives to a turn: own LLM calls, or a "
        "listener put on a component before the session started"
    ),
    "not-finite": "lines with NaN or Infinity: such values count as not measured",
    "wrapped": (
        "lines of a table that the terminal wrapped: their metrics cannot be read; log JSON "
        "(production mode, or turnlat's hook)"
    ),
    "undated": (
        "lines that tell the time of day and no date: they are taken as of one day, so a log that "
        "goes past midnight is out of order"
    ),
    "dropped": (
        "records that the hook could not write (a full disk, or more than it could keep): turns "
        "may lack parts; its warning in the agent's log tells why"
    ),
    "p99-few": "a p99 needs 100 turns; the maximum is shown beside it",
    "total-double": (
        "--total counts transcription twice: eou_delay already contains transcription_delay"
    ),
    "merged": (
        "log_metrics lines of records that are there whole too: each counts once, among the "
        "duplicates"
    ),
    "selected": "turns were selected; ledger, transcriptions and usage are those of the whole run",
}
"""Notes of whole runs."""

COMPARISON_NOTES: dict[str, str] = {
    "turns-as-units": (
        "nothing tells the conversations of a log apart, so turns count as independent, which they "
        "are not: these p-values are too small; log job_id or room"
    ),
    "few-sessions": (
        "verdicts need 5 sessions a side: with fewer, chance has too few arrangements; record more "
        "sessions"
    ),
    "few-pairs": (
        "verdicts need 6 matched sessions: with fewer, chance has too few arrangements; record "
        "more, or compare without --pair-by"
    ),
    "unmatched": (
        "turns without a partner in the other run are left out; --pair-by wants sessions that "
        "replay the same scripts"
    ),
    "models-differ": (
        "the runs did not use the same models, so a change may be theirs and not the code's; "
        "--model compares one at a time"
    ),
    "one-measured": (
        "only one run has a measured wait, so both are compared by total_latency, which leaves out "
        "tools, callbacks and the first sentence; log whole metrics objects in both"
    ),
    "grouping-differs": (
        "the turns of one run were put together by speech_id, those of the other by inference; "
        "log both in the same shape"
    ),
}
"""Notes of comparisons."""


@dataclass(frozen=True)
class Note:
    """A code, the sentence that explains it, and how many turns, records or lines it is about."""

    code: str
    count: int
    text: str

    @classmethod
    def of(cls, code: str, count: int) -> Note:
        """The note with the catalogue's sentence."""
        return cls(code, count, (TURN_NOTES | RUN_NOTES | COMPARISON_NOTES)[code])
