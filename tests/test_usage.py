"""Usage against LiveKit's own `UsageCollector`, over the same metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from livekit.agents import metrics
from logs import DATA, eou, llm, load, recordings, stt, tts

import turnlat

MODELS = {
    "llm_metrics": metrics.LLMMetrics,
    "stt_metrics": metrics.STTMetrics,
    "tts_metrics": metrics.TTSMetrics,
    "realtime_model_metrics": metrics.RealtimeModelMetrics,
}


def collected(log: Path) -> metrics.UsageSummary:
    collector = metrics.UsageCollector()
    seen = set()
    for line in log.read_text().splitlines():
        record = json.loads(line)
        identity = (
            record["type"], record.get("request_id"), record.get("speech_id"), record["timestamp"],
        )  # fmt: skip
        if record["type"] in MODELS and identity not in seen:
            seen.add(identity)
            collector.collect(MODELS[record["type"]].model_validate(record))
    return collector.get_summary()


@pytest.mark.parametrize(
    "log",
    [f / "hook.jsonl" for f in recordings("hook.jsonl")]
    + [f / "objects.hook.jsonl" for f in recordings("objects.hook.jsonl") if str(f)[0] == "1"],
    ids=str,
)
def test_usage_is_what_livekit_collects(log: Path) -> None:
    expected = collected(DATA / log)
    total = turnlat.load(DATA / log).usage.filter(component="total").to_dicts()[0]
    assert (total["prompt_tokens"] or 0) == expected.llm_prompt_tokens
    assert (total["cached_tokens"] or 0) == expected.llm_prompt_cached_tokens
    assert (total["completion_tokens"] or 0) == expected.llm_completion_tokens
    assert (total["characters"] or 0) == expected.tts_characters_count
    assert (total["tts_audio_duration"] or 0) == pytest.approx(expected.tts_audio_duration)
    assert (total["stt_audio_duration"] or 0) == pytest.approx(expected.stt_audio_duration)


def test_usage_has_a_row_per_model(tmp_path: Path) -> None:
    other = {"metadata": {"model_name": "gpt-5", "model_provider": "openai"}}
    run = load(tmp_path, [eou("a", 0), llm("a", 0), llm("a", 1, **other), tts("a", 1.6), stt(1)])
    rows = {(row["component"], row["model"]): row for row in run.usage.to_dicts()}
    assert list(rows) == [
        ("llm", "gpt-4o-mini"), ("llm", "gpt-5"), ("tts", "sonic-3"), ("stt", "nova-3"),
        ("total", None),
    ]  # fmt: skip
    assert rows["llm", "gpt-5"]["prompt_tokens"] == 100
    assert rows["llm", "gpt-5"]["characters"] is None


def test_transcriptions_of_a_streaming_stt_have_no_processing_time(tmp_path: Path) -> None:
    run = load(tmp_path, [eou("a", 0), stt(1), stt(6)])
    [row] = run.transcriptions.to_dicts()
    assert (row["requests"], row["streamed"], row["processing_time"]) == (2, True, None)
    assert row["audio_duration"] == pytest.approx(10.1)


def test_transcriptions_of_requests_have_a_realtime_factor(tmp_path: Path) -> None:
    request = {"streamed": False, "duration": 0.6, "audio_duration": 2.4}
    connection = {
        "request_id": "", "audio_duration": 0.0, "acquire_time": 0.2, "streamed": False,
    }  # fmt: skip
    run = load(tmp_path, [stt(1, request_id="r1", **request), stt(0, **connection)])
    [row] = run.transcriptions.to_dicts()
    assert row["request_id"] == "r1"
    assert row["realtime_factor"] == pytest.approx(0.25)
