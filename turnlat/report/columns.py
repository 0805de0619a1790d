"""How the contract's columns are shown: the kind of each, and how soon it gives way."""

from __future__ import annotations

from turnlat.report import Kind

TURN_KINDS: dict[str, tuple[Kind, int]] = {
    "session": ("text", 2), "turn": ("count", 0), "speech_id": ("text", 6),
    "outcome": ("text", 0), "interrupted": ("text", 7), "grouping": ("text", 9),
    "user_stopped_at": ("moment", 8), "first_audio_at": ("moment", 10),
    "llm_calls": ("count", 5), "tts_segments": ("count", 8), "prompt_tokens": ("count", 9),
    "cached_tokens": ("count", 10), "completion_tokens": ("count", 9),
    "characters": ("count", 10), "audio_duration": ("seconds", 9),
    "llm_model": ("text", 7), "tts_model": ("text", 9), "stt_model": ("text", 9),
    "job_id": ("text", 11), "room": ("text", 11), "agent_name": ("text", 11),
    "source": ("text", 10), "line": ("count", 10), "notes": ("codes", 5),
    "e2e_latency": ("milliseconds", 0), "total_latency": ("milliseconds", 1),
    "longest_silence": ("milliseconds", 4), "eou_delay": ("milliseconds", 3),
    "llm_ttft": ("milliseconds", 3), "tts_ttfb": ("milliseconds", 3),
    "transcription_delay": ("milliseconds", 6), "endpointing_delay": ("milliseconds", 6),
    "callback_delay": ("milliseconds", 6), "llm_offset": ("milliseconds", 6),
    "tool_gap": ("milliseconds", 6), "sentence_gap": ("milliseconds", 6),
    "remainder": ("milliseconds", 6), "llm_duration": ("milliseconds", 10),
    "tts_duration": ("milliseconds", 10),
}  # fmt: skip
"""How the turn table's columns show, and how soon they give way."""

SUMMARY_KINDS: dict[str, dict[str, tuple[Kind, int]]] = {
    "transcriptions": {
        "session": ("text", 2), "request_id": ("text", 3), "stt_model": ("text", 0),
        "streamed": ("text", 1), "requests": ("count", 0), "audio_duration": ("seconds", 0),
        "processing_time": ("milliseconds", 0), "realtime_factor": ("ratio", 0),
        "word_count": ("count", 4),
    },
    "tools": {
        "tool": ("text", 0), "calls": ("count", 0), "errors": ("count", 2), "timed": ("count", 3),
        "mean": ("milliseconds", 1), "p50": ("milliseconds", 0), "p95": ("milliseconds", 0),
        "max": ("milliseconds", 1),
    },
    "usage": {
        "component": ("text", 0), "model": ("text", 0), "requests": ("count", 5),
        "prompt_tokens": ("count", 0), "cached_tokens": ("count", 4),
        "completion_tokens": ("count", 0), "characters": ("count", 3),
        "tts_audio_duration": ("seconds", 0), "stt_audio_duration": ("seconds", 0),
    },
}  # fmt: skip

HEADINGS = {
    "audio_duration": "audio", "processing_time": "processing", "realtime_factor": "factor",
    "stt_model": "model", "request_id": "request", "prompt_tokens": "prompt",
    "cached_tokens": "cached", "completion_tokens": "completion", "word_count": "words",
    "tts_audio_duration": "spoken", "stt_audio_duration": "heard",
}  # fmt: skip

LEDGER_MEANINGS = {
    "lines": "= metric + other + blank + bad + joined",
    "metric": "gave at least one record",
    "other": "valid, no metric",
    "blank": "empty",
    "bad": "could not be read",
    "joined": "a further line of a document or of a split line",
    "records": "= in_turns + in_sessions + unattributed + duplicates",
    "in_turns": "EOU, LLM, TTS and realtime records of turns and speeches",
    "in_sessions": "STT, VAD, state and other records that belong to no turn",
    "unattributed": "LLM or TTS records without a speech",
    "duplicates": "logged more than once, counted once",
    "replied": "the user spoke and heard an answer",
    "silent": "the user spoke, no audio followed",
    "unmeasured": "the user spoke; the session has no TTS metrics at all",
    "initiated": "the agent spoke unasked",
    "discarded": "generated, never heard",
    "realtime": "a speech-to-speech response",
}

TITLES = {
    "turns": "turns and speeches, ms",
    "transcriptions": "transcriptions",
    "tools": "function tools, ms",
    "usage": "usage: tokens, characters, audio",
}
