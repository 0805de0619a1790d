"""The recorded logs, and small logs made of records that look like theirs."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import turnlat

DATA = Path(__file__).parent.parent / "data"
START = 1_795_332_000.0
"""When made-up sessions begin; times in tests count from here."""


def recordings(*files: str) -> list[Path]:
    """The folders that hold all of `files`, relative to `DATA`."""
    folders = sorted(path.parent for path in DATA.rglob(files[0]))
    return [f.relative_to(DATA) for f in folders if all((f / name).exists() for name in files)]


def all_logs() -> list[Path]:
    return sorted(p for p in DATA.rglob("*") if p.is_file() and p.name != "events.jsonl")


def eou(speech: str | None, at: float, delay: float = 0.5, **more: Any) -> dict:
    """An EOU record emitted at `at`; the user stopped `delay` and the callback before."""
    return {
        "type": "eou_metrics",
        "timestamp": START + at,
        "end_of_utterance_delay": delay,
        "transcription_delay": 0.2,
        "on_user_turn_completed_delay": 0.0,
        "speech_id": speech,
        "metadata": None,
    } | more


def llm(speech: str | None, at: float, ttft: float = 0.3, length: float = 0.5, **more: Any) -> dict:
    """An LLM record whose request started at `at` and streamed for `length`."""
    return {
        "type": "llm_metrics",
        "label": "fake.LLM",
        "request_id": f"chat-{at}",
        "timestamp": START + at + length,
        "duration": length,
        "ttft": ttft,
        "cancelled": False,
        "completion_tokens": 10,
        "prompt_tokens": 100,
        "prompt_cached_tokens": 0,
        "total_tokens": 110,
        "tokens_per_second": 10 / length,
        "speech_id": speech,
        "metadata": {"model_name": "gpt-4o-mini", "model_provider": "openai"},
    } | more


def tts(
    speech: str | None,
    at: float,
    ttfb: float = 0.2,
    length: float = 0.3,
    audio: float = 2.0,
    **more: Any,
) -> dict:
    """A TTS record whose synthesis started at `at`."""
    return {
        "type": "tts_metrics",
        "label": "fake.TTS",
        "request_id": f"tts-{at}",
        "timestamp": START + at + length,
        "ttfb": ttfb,
        "duration": length,
        "audio_duration": audio,
        "cancelled": False,
        "characters_count": 30,
        "streamed": True,
        "acquire_time": 0.0,
        "segment_id": f"seg-{at}",
        "speech_id": speech,
        "metadata": {"model_name": "sonic-3", "model_provider": "Cartesia"},
    } | more


def stt(at: float, audio: float = 5.05, **more: Any) -> dict:
    """A usage tick of a streaming STT."""
    return {
        "type": "stt_metrics",
        "label": "fake.STT",
        "request_id": "stt-1",
        "timestamp": START + at,
        "duration": 0.0,
        "audio_duration": audio,
        "streamed": True,
        "metadata": {"model_name": "nova-3", "model_provider": "Deepgram"},
    } | more


def plain(record: dict, **more: Any) -> dict:
    """The `log_metrics` line of `record`, as LiveKit 1.2.12 and later write it."""
    kind = record["type"].removesuffix("_metrics").upper()
    fields = {
        "EOU": ("end_of_utterance_delay", "transcription_delay"),
        "LLM": (
            "ttft",
            "prompt_tokens",
            "prompt_cached_tokens",
            "completion_tokens",
            "tokens_per_second",
        ),
        "TTS": ("audio_duration",),
        "STT": ("audio_duration",),
    }[kind]
    line = {"message": f"{kind} metrics", "level": "INFO", "name": "livekit.agents"}
    line |= {name: round(record[name], 2) for name in fields}
    if kind == "TTS":
        line["ttfb"] = record["ttfb"]
    return line | {"timestamp": iso(record["timestamp"] + 0.0005)} | more


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def write_log(path: Path, records: list[Any]) -> Path:
    """One JSON line per record; text and bytes go in as they are."""
    lines = [
        r if isinstance(r, bytes) else (r if isinstance(r, str) else json.dumps(r)).encode()
        for r in records
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def load(folder: Path, records: list[Any], **more: Any) -> turnlat.Run:
    """The run of a log that holds `records`."""
    return turnlat.load(write_log(folder / "agent.jsonl", records), **more)
