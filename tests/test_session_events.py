"""What turnlat's hook records beside metrics: states, speeches, transcripts, tools, losses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import logs
import polars as pl
import pytest
from logs import DATA, START, eou, llm, recordings, stt, tts
from sums import add_up
from truth import read_lines, truth_of

import turnlat

AGREEMENT = 0.005
ASKED = [eou("speech_1", at=1.0), llm("speech_1", at=1.0), tts("speech_1", at=1.5)]
"""The user stops at 0.5 and hears the answer from 1.7 on."""


def load(folder: Path, records: list[dict]) -> turnlat.Run:
    """The run of a log that turnlat's hook wrote: every line names its session."""
    return logs.load(folder, [{"session": "AJ_1"} | record for record in records])


def event(type_: str, at: float, **fields: Any) -> dict:
    time = START + at
    return {"type": type_, "created_at": time, "event": time} | fields


def state(at: float, new: str, who: str = "agent") -> dict:
    return event(f"{who}_state_changed", at, old_state="listening", new_state=new)


def created(speech: str, at: float, source: str = "generate_reply") -> dict:
    return event("speech_created", at, speech_id=speech, source=source, user_initiated=True)


def message(at: float, *, interrupted: bool) -> dict:
    item = {"id": f"item-{at}", "type": "message", "role": "assistant", "interrupted": interrupted}
    return event("conversation_item_added", at, item=item | {"word_count": 4})


def heard(run: turnlat.Run, speech: str) -> dict:
    return run.turns.filter(speech_id=speech).to_dicts()[0]


def as_the_hook_records(recording: Path) -> list[dict]:
    """The metrics of a recording with its session's other events, as turnlat's hook writes them."""
    lines = read_lines(DATA / recording / "hook.jsonl")
    renamed = {"old": "old_state", "new": "new_state", "final": "is_final", "text": "transcript"}
    for told in read_lines(DATA / recording / "events.jsonl"):
        fields = {renamed.get(key, key): value for key, value in told.items() if key != "event"}
        lines.append({"type": told["event"], "event": told["t"], "created_at": told["t"]} | fields)
    return sorted(lines, key=lambda line: line.get("timestamp", line.get("created_at")))


@pytest.mark.parametrize("recording", recordings("events.jsonl"), ids=str)
def test_states_give_the_outcomes_and_waits_that_the_events_tell(
    recording: Path, tmp_path: Path
) -> None:
    truth = truth_of(DATA / recording)
    run = load(tmp_path, as_the_hook_records(recording))
    assert {name: n for name, n in run.ledger.outcomes.items() if n} == dict(truth.outcomes)
    waits = dict(run.turns.filter(outcome="replied").select("speech_id", "e2e_latency").rows())
    for speech, wait in truth.waits.items():
        assert waits[speech] == pytest.approx(wait, abs=AGREEMENT)
    assert "speaking-differs" not in run.turns["notes"].explode().to_list()
    add_up(run)


def test_a_speech_is_initiated_only_if_the_agent_spoke(tmp_path: Path) -> None:
    loose = [*ASKED, llm("speech_2", at=10.0), tts("speech_2", at=10.5)]
    listening = [state(1.7, "speaking"), state(3.7, "listening")]
    assert heard(load(tmp_path, loose), "speech_2")["outcome"] == "initiated"
    assert heard(load(tmp_path, loose + listening), "speech_2")["outcome"] == "discarded"
    spoken = [*loose, *listening, state(10.8, "speaking")]
    assert heard(load(tmp_path, spoken), "speech_2")["outcome"] == "initiated"


def test_an_agent_that_never_spoke_said_nothing(tmp_path: Path) -> None:
    quiet = [tts("speech_0", at=0.0), state(-1.0, "listening")]
    assert heard(load(tmp_path, quiet), "speech_0")["outcome"] == "discarded"


def test_an_answer_that_the_agent_spoke_is_no_discarded_attempt(tmp_path: Path) -> None:
    old = [llm("speech_0", at=0.2, length=0.2), tts("speech_0", at=0.4)]
    log = [record | {"acquire_time": None} for record in [*old, *ASKED]]
    assert heard(load(tmp_path, log), "speech_0")["outcome"] == "discarded"
    spoke = [state(0.6, "speaking"), state(0.9, "listening"), state(1.7, "speaking")]
    assert heard(load(tmp_path, log + spoke), "speech_0")["outcome"] == "initiated"


def test_speech_queued_behind_other_speech_was_heard(tmp_path: Path) -> None:
    queued = [tts("speech_2", at=2.0), state(1.7, "speaking"), state(6.0, "listening")]
    assert heard(load(tmp_path, ASKED + queued), "speech_2")["outcome"] == "initiated"


def test_speech_with_audio_of_its_own_has_no_metrics_and_is_heard(tmp_path: Path) -> None:
    greeting = [created("speech_0", -9.0, "say"), state(-8.9, "speaking"), state(-7.0, "listening")]
    attempt = [created("speech_x", 0.4), created("speech_1", 0.6)]
    run = load(tmp_path, [*greeting, *attempt, *ASKED, state(1.7, "speaking")])
    assert heard(run, "speech_0")["outcome"] == "initiated"
    assert heard(run, "speech_0")["first_audio_at"].timestamp() == pytest.approx(START - 8.9)
    assert heard(run, "speech_x")["outcome"] == "discarded"
    assert run.turns.height == 3
    add_up(run)


def test_of_speeches_created_at_once_the_last_one_was_heard(tmp_path: Path) -> None:
    """Whether or not metrics tell of the others."""
    at_once = [created("speech_1", 20), created("speech_9", 20), state(21, "speaking")]
    assert heard(load(tmp_path, ASKED + at_once), "speech_9")["outcome"] == "initiated"


def test_recorded_words_before_the_answer_are_filler(tmp_path: Path) -> None:
    filler = [created("speech_0", 1.1, "say"), state(1.2, "speaking"), state(1.4, "listening")]
    turn = heard(load(tmp_path, [*ASKED, *filler, state(1.7, "speaking")]), "speech_1")
    assert turn["e2e_latency"] == pytest.approx(0.7)
    assert "filler" in turn["notes"]
    assert "speaking-differs" not in turn["notes"]


def test_created_speeches_make_no_rows_where_metrics_have_no_speech_ids(tmp_path: Path) -> None:
    bare = [record | {"speech_id": None} for record in ASKED[1:]]
    run = load(tmp_path, [ASKED[0], *bare, created("speech_1", 0.9), created("speech_9", 5.0)])
    assert run.turns.height == 1


@pytest.mark.parametrize(("late", "notes"), [(0.04, []), (0.06, ["speaking-differs"])])
def test_a_first_audio_that_the_states_do_not_confirm_has_a_note(
    tmp_path: Path, late: float, notes: list[str]
) -> None:
    turn = heard(load(tmp_path, [*ASKED, state(1.7 + late, "speaking")]), "speech_1")
    assert turn["notes"] == notes
    assert turn["e2e_latency"] == pytest.approx(1.2)


def test_messages_without_metrics_tell_who_was_interrupted(tmp_path: Path) -> None:
    second = [eou("speech_2", at=11.0), llm("speech_2", at=11.0), tts("speech_2", at=11.5)]
    told = [message(2.9, interrupted=True), message(13.8, interrupted=False)]
    run = load(tmp_path, [*ASKED, *second, *told])
    assert run.turns["interrupted"].to_list() == [True, False]


def test_words_go_to_the_request_that_they_were_heard_in(tmp_path: Path) -> None:
    requests = [stt(5.0, request_id="stt-1"), stt(15.0, request_id="stt-2")]
    said = [
        event("user_input_transcribed", at, is_final=final, word_count=words)
        for at, words, final in [(1.0, 3, True), (4.0, 9, False), (6.0, 4, True), (15.0, 5, True)]
    ]
    run = load(tmp_path, [*ASKED, *requests, *said])
    words = dict(run.transcriptions.select("request_id", "word_count").rows())
    assert words == {"stt-1": 7, "stt-2": 5}


def test_words_without_any_stt_record_have_a_row(tmp_path: Path) -> None:
    said = event("user_input_transcribed", 1.0, is_final=True, transcript="one two three")
    run = load(tmp_path, [*ASKED, said])
    assert run.transcriptions.select("session", "requests", "word_count").rows() == [("AJ_1", 0, 3)]


def test_tools_are_timed(tmp_path: Path) -> None:
    ours = event(
        "function_tools_executed",
        2.0,
        tools=[
            {"name": "weather", "call_id": "a", "duration": 0.2, "is_error": False},
            {"name": "weather", "call_id": "b", "duration": 0.4, "is_error": True},
            {"name": "book", "call_id": "c", "duration": None, "is_error": False},
        ],
    )
    livekits = event(
        "function_tools_executed",
        9.0,
        function_calls=[{"call_id": "d", "name": "book", "created_at": START + 8.0}],
        function_call_outputs=[{"call_id": "d", "created_at": START + 8.5, "is_error": False}],
    )
    run = load(tmp_path, [*ASKED, ours, livekits])
    columns = ("tool", "calls", "errors", "timed", "p50", "max")
    assert run.tools.select(columns).rows() == [
        ("book", 2, 0, 1, pytest.approx(0.5), pytest.approx(0.5)),
        ("weather", 2, 1, 2, pytest.approx(0.3), pytest.approx(0.4)),
    ]
    add_up(run)


def test_what_the_hook_could_not_write_is_noted(tmp_path: Path) -> None:
    lost = {"type": "turnlat_hook", "dropped": 7, "event": START}
    run = load(tmp_path, [*ASKED, lost, lost | {"dropped": 2, "event": START + 1}])
    assert {note.code: note.count for note in run.notes}["dropped"] == 9


def test_session_events_are_records_of_their_session(tmp_path: Path) -> None:
    told = [state(1.7, "speaking"), state(0.1, "speaking", "user"), event("close", 20, reason="x")]
    run = load(tmp_path, ASKED + told)
    assert run.ledger["in_sessions"] == 3
    assert run.turns["session"].unique().to_list() == ["AJ_1"]
    add_up(run)


def test_an_event_with_a_value_that_cannot_be_is_a_bad_line(tmp_path: Path) -> None:
    run = load(tmp_path, [*ASKED, event("user_input_transcribed", 1.0, word_count="many")])
    assert [line.reason for line in run.bad_lines] == ["word_count: expected a number, got text"]


def test_a_saved_run_keeps_its_tools(tmp_path: Path) -> None:
    used = event("function_tools_executed", 2.0, tools=[{"name": "weather", "duration": 0.2}])
    run = load(tmp_path, [*ASKED, used])
    run.save(tmp_path / "run.parquet")
    assert turnlat.load(tmp_path / "run.parquet").tools.equals(run.tools)
    assert json.dumps(run.tools.to_dicts())
    assert run.tools.schema["tool"] == pl.String


def test_jobs_that_share_a_room_are_sessions_of_their_own() -> None:
    samples = DATA.parent.parent / "sample_logs"
    runs = [samples / "normal.jsonl", samples / "slower_llm.jsonl"]
    alone = [turnlat.load(run).ledger.outcomes for run in runs]
    together = turnlat.load(*runs)
    added = {name: count + alone[1][name] for name, count in alone[0].items()}
    assert together.ledger.outcomes == added
    assert together.turns["session"].n_unique() == 32
    assert together.turns.select("session").equals(together.turns.select(session="job_id"))
    assert together.turns["room"].n_unique() == 16
