"""What people would use instead of turnlat: `python -m tests.benchmarks.rivals NAME SHAPE LOG`.

Each prints the percentiles of the waits as one JSON object: measured ones of a hook log, LiveKit's
sums of a production log, whose lines carry no speech id.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def by_hand(shape: str, log: str) -> dict[str, float]:
    """The loop that people write: orjson, and a dict for each turn."""
    import orjson  # noqa: PLC0415  # each rival loads what it needs

    def objects() -> Iterator[dict[str, Any]]:
        with Path(log).open("rb") as file:
            for line in file:
                try:
                    yield orjson.loads(line)
                except ValueError:  # noqa: PERF203  # people skip what is broken
                    continue

    return percentiles({"hook": _by_speech, "production": _by_order}[shape](objects()))


def _by_speech(objects: Iterator[dict[str, Any]]) -> list[float]:
    turns: dict[str, dict[str, float]] = {}
    for metric in objects:
        speech = metric.get("speech_id")
        if not speech:
            continue
        turn = turns.get(speech)
        if turn is None:
            turn = turns[speech] = {}
        if metric["type"] == "eou_metrics":
            callback = metric["on_user_turn_completed_delay"]
            turn["stopped"] = metric["timestamp"] - callback - metric["end_of_utterance_delay"]
        elif metric["type"] == "llm_metrics" and metric["ttft"] >= 0:
            start = metric["timestamp"] - metric["duration"]
            if start < turn.get("llm_start", float("inf")):
                turn["llm_start"], turn["ttft"] = start, metric["ttft"]
        elif metric["type"] == "tts_metrics" and metric["ttfb"] >= 0:
            start = metric["timestamp"] - metric["duration"]
            if start < turn.get("tts_start", float("inf")):
                turn["tts_start"], turn["ttfb"] = start, metric["ttfb"]
    heard = (turn for turn in turns.values() if "stopped" in turn and "tts_start" in turn)
    return [turn["tts_start"] + turn["ttfb"] - turn["stopped"] for turn in heard]


def _by_order(objects: Iterator[dict[str, Any]]) -> list[float]:
    turns: list[dict[str, float]] = []
    current: dict[str | None, dict[str, float]] = {}
    for line in objects:
        message = line.get("message")
        if message == "EOU metrics":
            current[line.get("job_id")] = turn = {"eou": line["end_of_utterance_delay"]}
            turns.append(turn)
        elif message == "LLM metrics" and (found := current.get(line.get("job_id"))) is not None:
            if line["ttft"] >= 0:
                found.setdefault("ttft", line["ttft"])
        elif (
            message == "TTS metrics"
            and (found := current.get(line.get("job_id"))) is not None
            and line["ttfb"] >= 0
        ):
            found.setdefault("ttfb", line["ttfb"])
    whole = 3
    return [sum(turn.values()) for turn in turns if len(turn) == whole]


def duckdb(shape: str, log: str) -> dict[str, float]:
    """DuckDB, which parses on all cores and skips what is broken; the parts of the wait too."""
    import duckdb as engine  # noqa: PLC0415

    turns, metrics = {"hook": (_HOOK, _HOOK_METRICS), "production": (_ORDER, _ORDER_METRICS)}[shape]
    shares = list(PERCENTILES.values())
    statistics = ", ".join(f"quantile_cont({metric}, {shares})" for metric in metrics)
    query = f"{turns} select {statistics} from turns where {metrics[0]} is not null"  # noqa: S608
    (waits, *_) = engine.execute(query, [log]).fetchall()[0]
    return dict(zip(PERCENTILES, waits, strict=True))


_READ = (
    "read_json(?, format='newline_delimited', ignore_errors=true, maximum_object_size=67108864, "
    "columns={{{}}})"
)
_HOOK_METRICS = (
    "heard - stopped", "eou_delay", "transcription", "callback", "ttft", "ttfb",
    "eou_delay + ttft + ttfb",
)  # fmt: skip
_HOOK = f"""
with metrics as (select *, timestamp - duration as start from {
    _READ.format(
        "type:'VARCHAR', speech_id:'VARCHAR', timestamp:'DOUBLE', duration:'DOUBLE', "
        "ttft:'DOUBLE', ttfb:'DOUBLE', end_of_utterance_delay:'DOUBLE', "
        "transcription_delay:'DOUBLE', on_user_turn_completed_delay:'DOUBLE'"
    )
}),
turns as (
  select
    any_value(timestamp - on_user_turn_completed_delay - end_of_utterance_delay) as stopped,
    any_value(end_of_utterance_delay) as eou_delay,
    any_value(transcription_delay) as transcription,
    any_value(on_user_turn_completed_delay) as callback,
    arg_min(ttft, start) filter (type = 'llm_metrics' and ttft >= 0) as ttft,
    arg_min(ttfb, start) filter (type = 'tts_metrics' and ttfb >= 0) as ttfb,
    arg_min(start + ttfb, start) filter (type = 'tts_metrics' and ttfb >= 0) as heard
  from metrics where speech_id is not null group by speech_id
)
"""  # noqa: S608
_ORDER_METRICS = ("eou + ttft + ttfb", "eou", "transcription", "ttft", "ttfb")
_ORDER = f"""
with lines as (
  select * from {
    _READ.format(
        "message:'VARCHAR', job_id:'VARCHAR', timestamp:'TIMESTAMP', ttft:'DOUBLE', "
        "ttfb:'DOUBLE', end_of_utterance_delay:'DOUBLE', transcription_delay:'DOUBLE'"
    )
} where message in ('EOU metrics', 'LLM metrics', 'TTS metrics')
),
numbered as (
  select *, count(*) filter (message = 'EOU metrics')
    over (partition by job_id order by timestamp, message rows unbounded preceding) as turn
  from lines
),
turns as (
  select
    any_value(end_of_utterance_delay) as eou,
    any_value(transcription_delay) as transcription,
    arg_min(ttft, timestamp) filter (ttft >= 0) as ttft,
    arg_min(ttfb, timestamp) filter (ttfb >= 0) as ttfb
  from numbered where turn > 0 group by job_id, turn
)
"""  # noqa: S608


def polars(shape: str, log: str) -> dict[str, float]:
    """polars' `scan_ndjson` and `group_by`, which end at the first line that is broken."""
    import polars as pl  # noqa: PLC0415

    schema, turns = {"hook": (_HOOK_SCHEMA, _speeches), "production": (_LINE_SCHEMA, _answers)}[
        shape
    ]
    waits = turns(pl.scan_ndjson(log, schema=pl.Schema(schema))).drop_nulls()
    shares = [waits.select(wait=pl.col("wait").quantile(q, "linear")) for q in PERCENTILES.values()]
    found = pl.collect_all(shares)
    return {name: frame.item() for name, frame in zip(PERCENTILES, found, strict=True)}


_HOOK_SCHEMA = {
    "type": str, "speech_id": str, "timestamp": float, "duration": float, "ttft": float,
    "ttfb": float, "end_of_utterance_delay": float, "on_user_turn_completed_delay": float,
}  # fmt: skip
_LINE_SCHEMA = {
    "message": str, "job_id": str, "timestamp": str, "ttft": float, "ttfb": float,
    "end_of_utterance_delay": float,
}  # fmt: skip


def _speeches(metrics: Any) -> Any:
    import polars as pl  # noqa: PLC0415

    callback, delay = pl.col("on_user_turn_completed_delay"), pl.col("end_of_utterance_delay")
    start = pl.col("timestamp") - pl.col("duration")
    spoken = (pl.col("type") == "tts_metrics") & (pl.col("ttfb") >= 0)
    heard = (start + pl.col("ttfb")).filter(spoken).sort_by(start.filter(spoken)).first()
    stopped = (pl.col("timestamp") - callback - delay).drop_nulls().first()
    return metrics.drop_nulls("speech_id").group_by("speech_id").agg(wait=heard - stopped)


def _answers(lines: Any) -> Any:
    import polars as pl  # noqa: PLC0415

    message = pl.col("message")
    turn = (message == "EOU metrics").cum_sum().over("job_id")
    first = [pl.col(name).filter(pl.col(name) >= 0).first() for name in ("ttft", "ttfb")]
    wait = pl.col("end_of_utterance_delay").drop_nulls().first() + first[0] + first[1]
    return (
        lines.filter(message.is_in(["EOU metrics", "LLM metrics", "TTS metrics"]))
        .sort("timestamp", maintain_order=True)
        .with_columns(turn=turn)
        .filter(pl.col("turn") > 0)
        .group_by("job_id", "turn", maintain_order=True)
        .agg(wait=wait)
    )


def read(shape: str, log: str) -> dict[str, float]:  # noqa: ARG001
    """Reading alone: the floor under all others."""
    with Path(log).open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
    return {}


RIVALS: dict[str, Callable[[str, str], dict[str, float]]] = {
    "orjson": by_hand,
    "polars": polars,
    "duckdb": duckdb,
    "read": read,
}


def percentiles(waits: list[float]) -> dict[str, float]:
    """The type-7 percentiles, as turnlat's."""
    ordered = sorted(waits)
    found = {}
    for name, share in PERCENTILES.items():
        at = (len(ordered) - 1) * share
        low = int(at)
        high = min(low + 1, len(ordered) - 1)
        found[name] = ordered[low] + (ordered[high] - ordered[low]) * (at - low)
    return found


if __name__ == "__main__":
    name, shape, log = sys.argv[1:]
    sys.stdout.write(json.dumps(RIVALS[name](shape, log)) + "\n")
