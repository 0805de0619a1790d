"""The ground truth of a recording, computed from what the session's own events say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

FOREVER = float("inf")


@dataclass(frozen=True)
class Truth:
    outcomes: Counter[str]
    waits: dict[str, float]
    """By the speech id of its EOU: the agent's change to speaking minus the user's stop."""
    invalid: set[str]
    """Speech ids whose EOU says nothing about when the user stopped."""


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def truth_of(folder: Path) -> Truth:
    events = read_lines(folder / "events.jsonl")
    metrics = read_lines(folder / "hook.jsonl")
    eous = sorted((m for m in metrics if m["type"] == "eou_metrics"), key=lambda m: m["timestamp"])
    speaking = [
        e["t"] for e in events if e["event"] == "agent_state_changed" and e["new"] == "speaking"
    ]
    created = [e for e in events if e["event"] == "speech_created"]
    ends = [eou["timestamp"] for eou in eous] + [FOREVER]
    answers = {
        eou["speech_id"]: next((t for t in speaking if start <= t < end), None)
        for eou, (start, end) in zip(eous, pairwise(ends), strict=True)
    }
    invalid = {
        eou["speech_id"]
        for previous, eou in zip([None, *eous], eous, strict=False)
        if not _valid(eou, previous)
    }
    outcomes = Counter("silent" if t is None else "replied" for t in answers.values())
    for speech in created:
        if speech["speech_id"] in answers or speech["source"] == "tool_response":
            continue
        heard = _heard(speech, created, speaking)
        if heard is None:
            outcomes["discarded"] += 1
        elif heard not in answers.values():
            outcomes["initiated"] += 1
    waits = {
        eou["speech_id"]: answers[eou["speech_id"]] - _stopped(eou)
        for eou in eous
        if answers[eou["speech_id"]] is not None and eou["speech_id"] not in invalid
    }
    return Truth(outcomes, waits, invalid)


def _stopped(eou: dict) -> float:
    return eou["timestamp"] - eou["on_user_turn_completed_delay"] - eou["end_of_utterance_delay"]


def _valid(eou: dict, previous: dict | None) -> bool:
    delay = eou["end_of_utterance_delay"]
    if (delay == 0 and eou["transcription_delay"] == 0) or delay > 600:
        return False
    if previous is None:
        return True
    decided = previous["timestamp"] - previous["on_user_turn_completed_delay"]
    return _stopped(eou) >= decided


def _heard(speech: dict, created: list[dict], speaking: list[float]) -> float | None:
    """When the agent began to speak for `speech`: before it went on to another one."""
    later = [e["t"] for e in created if e["t"] > speech["t"]]
    end = min(later, default=FOREVER)
    return next((t for t in speaking if speech["t"] <= t < end), None)
