"""Chat messages: the turns that they make alone, and what they add to turns of better records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from logs import DATA, START, eou, llm, load, plain, recordings, tts, write_log
from sums import add_up

import turnlat
from turnlat.readers import chat, document, session_report
from turnlat.records import KINDS

AGREEMENT = 0.005
"""Seconds between LiveKit's measure of a wait and ours."""

RECORDINGS = recordings("session_report.json", "hook.jsonl")
PRODUCTION = recordings("session_report.json", "production.jsonl")
PLACE = ["session", "source", "line", "job_id", "room", "agent_name"]


def replied(run: turnlat.Run) -> list[dict]:
    return run.turns.filter(outcome="replied").to_dicts()


def report_of(recording: Path) -> dict:
    return json.loads((DATA / recording / "session_report.json").read_text())


def near(value: float | None, *, within: float = AGREEMENT) -> object:
    return None if value is None else pytest.approx(value, abs=within)


# Recordings


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_a_session_report_alone_gives_the_turns_of_the_hook(recording: Path) -> None:
    report = turnlat.load(DATA / recording / "session_report.json")
    hook = turnlat.load(DATA / recording / "hook.jsonl")
    add_up(report)
    not_heard = {"discarded": hook.ledger["discarded"]}  # such attempts leave no message
    assert report.ledger.outcomes | not_heard == hook.ledger.outcomes
    for ours, exact in zip(replied(report), replied(hook), strict=True):
        assert ours["turn"] == exact["turn"]
        # null on both sides where the VAD missed the speech: nobody knows when the user stopped
        assert ours["e2e_latency"] == near(exact["e2e_latency"])
        assert ("eou-unknown" in ours["notes"]) == (exact["e2e_latency"] is None)
        for delay in ("eou_delay", "transcription_delay", "endpointing_delay"):
            assert ours[delay] == near(exact[delay], within=1e-6)
        assert ours["grouping"] == "inferred"


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_the_first_sentence_is_apart_from_1_6_9_on(recording: Path) -> None:
    report = turnlat.load(DATA / recording / "session_report.json")
    hook = turnlat.load(DATA / recording / "hook.jsonl")
    apart = recording.parts[0] == "1.8.9"
    for ours, exact in zip(replied(report), replied(hook), strict=True):
        assert ("sentence-inside" in ours["notes"]) == (not apart)
        if apart:
            assert ours["sentence_gap"] == near(exact["sentence_gap"])
            assert ours["tts_ttfb"] == near(exact["tts_ttfb"])


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_added_items_give_the_turns_of_the_report(recording: Path, tmp_path: Path) -> None:
    report = turnlat.load(DATA / recording / "session_report.json")
    items = [e for e in report_of(recording)["events"] if e["type"] == "conversation_item_added"]
    lines = load(tmp_path, items)
    assert lines.turns.drop(PLACE).equals(report.turns.drop(PLACE))
    assert lines.ledger.outcomes == report.ledger.outcomes
    add_up(lines)


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_a_history_without_times_of_its_items_gives_the_same_waits(
    recording: Path, tmp_path: Path
) -> None:
    history = report_of(recording)["chat_history"]
    for item in history["items"]:
        del item["created_at"]
    run = load(tmp_path, [history])
    expected = turnlat.load(DATA / recording / "session_report.json")
    assert [t["e2e_latency"] for t in replied(run)] == [t["e2e_latency"] for t in replied(expected)]


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_messages_change_nothing_of_the_hooks_turns_but_interruption(
    recording: Path, tmp_path: Path
) -> None:
    hook = turnlat.load(DATA / recording / "hook.jsonl")
    events = (DATA / recording / "events.jsonl").read_text()
    both = load(tmp_path, [*(DATA / recording / "hook.jsonl").read_text().splitlines(), events])
    apart = ["session", "source", "line", "interrupted"]
    assert both.turns.drop(apart).equals(hook.turns.drop(apart))
    assert both.turns.filter(outcome="replied")["interrupted"].null_count() == 0
    add_up(both)


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_a_report_beside_a_hook_log_without_job_id_is_the_same_session(recording: Path) -> None:
    hook = turnlat.load(DATA / recording / "hook.jsonl")
    logs = [DATA / recording / name for name in ("hook.jsonl", "session_report.json")]
    worker = DATA / recording / "production.jsonl"
    for inputs in (logs, [*logs, worker] if worker.exists() else logs):
        both = turnlat.load(*inputs)
        assert both.ledger.outcomes == hook.ledger.outcomes
        assert both.turns["e2e_latency"].equals(hook.turns["e2e_latency"])
        assert both.turns["interrupted"].count() > hook.turns["interrupted"].count()


def test_an_interruption_after_the_generation_shows_only_in_messages(tmp_path: Path) -> None:
    folder = DATA / "1.8.9/main"
    assert turnlat.load(folder / "hook.jsonl").turns["interrupted"].null_count() == 7
    hook, events = ((folder / f"{name}.jsonl").read_text() for name in ("hook", "events"))
    both = load(tmp_path, [*hook.splitlines(), events])
    interrupted = [turn["turn"] for turn in both.turns.to_dicts() if turn["interrupted"]]
    assert interrupted == [3]


@pytest.mark.parametrize("recording", PRODUCTION, ids=str)
def test_plain_lines_and_a_report_give_the_waits_of_the_hook(recording: Path) -> None:
    run = turnlat.load(
        DATA / recording / "production.jsonl", DATA / recording / "session_report.json"
    )
    hook = turnlat.load(DATA / recording / "hook.jsonl")
    assert run.turns["session"].n_unique() == 1
    assert run.ledger.outcomes == hook.ledger.outcomes
    for ours, exact in zip(replied(run), replied(hook), strict=True):
        assert ours["e2e_latency"] == near(exact["e2e_latency"])
        assert ("e2e-reported" in ours["notes"]) == (exact["e2e_latency"] is not None)
    add_up(run)


@pytest.mark.parametrize("format_", [chat, session_report], ids=lambda module: module.NAME)
def test_the_example_of_a_format_is_one(format_: Any) -> None:
    [decoded] = format_.decode(json.loads(format_.EXAMPLE))
    assert decoded.kind == "chat"


def test_no_text_of_a_message_is_stored() -> None:
    run = turnlat.load(DATA / "1.8.9/main/session_report.json")
    assert "weather" in (DATA / "1.8.9/main/session_report.json").read_text()
    assert not {"content", "text"} & {*KINDS["chat"].__struct_fields__}
    assert "weather" not in str(run.turns.to_dicts())


# Rules


def item(role: str, at: float, **metrics: Any) -> dict:
    """A message created at `at`; its times count from `START` too."""
    for name in ("started_speaking_at", "stopped_speaking_at"):
        if name in metrics:
            metrics[name] += START
    message = {"id": f"item_{role}_{at}", "type": "message", "role": role, "interrupted": False}
    return message | {"content": ["words"], "metrics": metrics, "created_at": START + at}


def user(at: float, stopped: float | None = None, **more: Any) -> dict:
    """What the user said, decided at `at`; they stopped 0.5 s before."""
    known = {
        "stopped_speaking_at": at - 0.5 if stopped is None else stopped,
        "transcription_delay": 0.2,
        "end_of_turn_delay": 0.5,
        "on_user_turn_completed_delay": 0.0,
    }
    return item("user", at, **known | more)


def agent(at: float, heard: float, until: float | None = None, **more: Any) -> dict:
    """What the agent said: begun at `at`, heard from `heard` on."""
    known = {"started_speaking_at": heard, "stopped_speaking_at": until or heard + 2}
    return item("assistant", at, **known, llm_node_ttft=0.3, tts_node_ttfb=0.2, **more)


def call(at: float) -> dict:
    return {"type": "function_call", "name": "get_weather", "created_at": START + at}


def report(tmp_path: Path, items: list[dict], **more: Any) -> turnlat.Run:
    return load(
        tmp_path, [{"job_id": "AJ_1", "room": "r", "chat_history": {"items": items}} | more]
    )


def outcomes(run: turnlat.Run) -> list[str]:
    return run.turns["outcome"].to_list()


def test_the_parts_of_a_turn(tmp_path: Path) -> None:
    items = [user(0, stt_metadata={"model_name": "nova-3"}), agent(0, 0.9, e2e_latency=1.4)]
    items[1]["metrics"] |= {"llm_node_ttfs": 0.6, "llm_metadata": {"model_name": "gpt"}}
    items[1]["metrics"] |= {"tts_metadata": {"model_name": "sonic"}}
    [turn] = report(tmp_path, items).turns.to_dicts()
    expected = {
        "session": "AJ_1", "job_id": "AJ_1", "room": "r", "turn": 1, "outcome": "replied",
        "interrupted": False, "llm_model": "gpt", "tts_model": "sonic", "stt_model": "nova-3",
        "e2e_latency": 1.4, "eou_delay": 0.5, "transcription_delay": 0.2, "callback_delay": 0.0,
        "llm_ttft": 0.3, "tts_ttfb": 0.2, "total_latency": 1.0, "llm_offset": None,
        "tool_gap": None, "llm_calls": None, "notes": [],
    }  # fmt: skip
    assert {name: turn[name] for name in expected} == expected
    assert turn["sentence_gap"] == pytest.approx(0.3)
    assert turn["remainder"] == pytest.approx(0.1)
    assert turn["user_stopped_at"].timestamp() == START - 0.5
    assert turn["first_audio_at"].timestamp() == START + 0.9


def test_a_wait_that_is_not_reported_is_the_difference_of_the_times(tmp_path: Path) -> None:
    [turn] = report(tmp_path, [user(0), agent(0, 0.9)]).turns.to_dicts()
    assert turn["e2e_latency"] == pytest.approx(1.4)


def test_a_tools_reply_belongs_to_the_turn_of_the_words_before_it(tmp_path: Path) -> None:
    items = [user(0), agent(0, 1, e2e_latency=1.5), call(2), agent(9, 10), user(20)]
    run = report(tmp_path, items)
    assert outcomes(run) == ["replied", "silent"]
    assert run.turns["e2e_latency"].to_list() == [1.5, None]
    assert run.ledger["in_turns"] == 4
    without_call = [message for message in items if message["type"] == "message"]
    assert outcomes(report(tmp_path, without_call)) == ["replied", "initiated", "silent"]


def test_words_that_were_begun_before_the_answer_ended_belong_to_it(tmp_path: Path) -> None:
    run = report(tmp_path, [user(0), agent(0, 1, 3, e2e_latency=1.5), agent(2.5, 3.2)])
    assert outcomes(run) == ["replied"]


def test_what_the_agent_says_by_itself_is_initiated(tmp_path: Path) -> None:
    greeting, reminder = agent(-10, -9), agent(8, 9)
    run = report(tmp_path, [greeting, user(0), agent(0, 1, e2e_latency=1.5), reminder])
    assert outcomes(run) == ["initiated", "replied", "initiated"]
    assert run.turns["e2e_latency"].to_list() == [None, 1.5, None]


def test_a_reminder_after_a_silent_turn_is_no_answer(tmp_path: Path) -> None:
    run = report(tmp_path, [user(0), agent(15, 16)])
    assert outcomes(run) == ["silent", "initiated"]


def test_a_typed_message_is_no_turn(tmp_path: Path) -> None:
    typed = item("user", 5)
    run = report(tmp_path, [user(0), agent(0, 1, e2e_latency=1.5), typed, agent(5, 6)])
    assert outcomes(run) == ["replied", "initiated"]
    assert run.ledger["in_sessions"] == 1


def test_a_session_that_nobody_heard_is_unmeasured(tmp_path: Path) -> None:
    run = report(tmp_path, [user(0), item("assistant", 1), user(5)])
    assert outcomes(run) == ["unmeasured", "unmeasured"]
    assert run.turns["total_latency"].to_list() == [None, None]


def test_filler_before_the_answer_ends_the_wait(tmp_path: Path) -> None:
    filler = agent(0.1, 0.3, 1.0)
    [turn] = report(tmp_path, [user(0), filler, agent(0, 2, e2e_latency=2.5)]).turns.to_dicts()
    assert turn["e2e_latency"] == pytest.approx(0.8)
    assert turn["remainder"] == pytest.approx(0.8 - 0.5 - 0.5)
    assert "filler" in turn["notes"]


def test_an_answer_that_the_user_could_not_interrupt_comes_before_their_words(
    tmp_path: Path,
) -> None:
    story = agent(0, 1, 9, e2e_latency=1.5)
    run = load(
        tmp_path, [event(m) for m in (user(0), user(5), story, agent(8, 10, e2e_latency=5.5))]
    )
    assert run.turns["e2e_latency"].to_list() == [1.5, 5.5]


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"end_of_turn_delay": 0.0, "transcription_delay": 0.0}, None),
        ({"end_of_turn_delay": 1.79e9}, "eou-implausible"),
        ({"transcription_delay": -0.1}, "eou-implausible"),
        ({"stopped": 1.0, "end_of_turn_delay": 9.0}, "eou-stale"),
    ],
)
def test_delays_that_cannot_be_are_null(tmp_path: Path, more: dict, note: str | None) -> None:
    before = [user(0), agent(0, 1, e2e_latency=1.5), user(2), agent(2, 3, e2e_latency=1.5)]
    run = report(tmp_path, [*before, user(10, **more), agent(10, 11, e2e_latency=1.5)])
    turn = run.turns.to_dicts()[-1]
    assert (turn["eou_delay"], turn["transcription_delay"]) == (None, None)
    assert turn["e2e_latency"] == (None if note else 1.5)
    assert (note in turn["notes"]) == (note is not None)
    add_up(run)


def test_a_clock_that_was_set_back_leaves_the_wait_unknown(tmp_path: Path) -> None:
    [turn] = report(tmp_path, [user(0), agent(0, 0.9, e2e_latency=-3.0)]).turns.to_dicts()
    assert turn["e2e_latency"] is None
    assert "clock-step" in turn["notes"]


def test_durations_that_cannot_be_are_null(tmp_path: Path) -> None:
    answer = agent(0, 0.9, e2e_latency=1e300)
    answer["metrics"] |= {"llm_node_ttft": -1.0, "tts_node_ttfb": 1e7}
    run = report(tmp_path, [user(0), answer])
    [turn] = run.turns.to_dicts()
    assert turn["notes"] == ["implausible"]
    assert {turn[name] for name in ("e2e_latency", "llm_ttft", "tts_ttfb", "remainder")} == {None}
    add_up(run)


def test_a_message_in_several_places_counts_once(tmp_path: Path) -> None:
    items = [user(0), agent(0, 1, e2e_latency=1.5)]
    run = report(tmp_path, items, events=[event(message) for message in items])
    assert (run.ledger["records"], run.ledger["duplicates"]) == (2, 0)
    lines = [event(message) | {"job_id": "AJ_1"} for message in items]
    run = load(tmp_path, [{"job_id": "AJ_1", "chat_history": {"items": items}}, *lines])
    assert (run.ledger["records"], run.ledger["duplicates"]) == (4, 2)
    assert outcomes(run) == ["replied"]


def test_messages_of_versions_without_metrics_are_ordinary_lines(tmp_path: Path) -> None:
    old = event({"id": "1", "type": "message", "role": "user", "content": ["hi"]})
    run = load(tmp_path, [old, eou("a", 0), llm("a", 0), tts("a", 0.7)])
    assert (run.ledger["other"], run.ledger["bad"]) == (1, 0)


# Beside other records


def event(message: dict) -> dict:
    return {"type": "conversation_item_added", "item": message, "created_at": START + 50}


MEASURED = [eou("a", 0), llm("a", 0), tts("a", 0.7)]
"""A turn whose wait is 0.5 + 0.7 + 0.2."""


def test_a_wait_that_livekit_measured_otherwise_gets_a_note(tmp_path: Path) -> None:
    for reported, notes in ((1.43, []), (1.5, ["e2e-differs"])):
        answer = agent(0, 0.9, e2e_latency=reported)
        run = load(tmp_path, [*MEASURED, event(user(0)), event(answer)])
        [turn] = run.turns.to_dicts()
        assert turn["e2e_latency"] == pytest.approx(1.4)
        assert turn["interrupted"] is False
        assert turn["notes"] == notes
        assert run.ledger["in_sessions"] == 2


def test_a_plain_turn_takes_the_reported_wait_and_keeps_its_parts(tmp_path: Path) -> None:
    lines = [plain(record) for record in MEASURED]
    run = load(tmp_path, [*lines, event(user(0)), event(agent(0, 0.9, e2e_latency=1.4))])
    [turn] = run.turns.to_dicts()
    assert turn["e2e_latency"] == pytest.approx(1.4)
    assert turn["first_audio_at"].timestamp() == START + 0.9
    assert turn["notes"] == ["e2e-reported"]
    add_up(run)


def test_messages_of_another_moment_are_another_turns(tmp_path: Path) -> None:
    run = load(tmp_path, [*MEASURED, event(user(3)), event(agent(3, 3.9, e2e_latency=9.9))])
    [turn] = run.turns.to_dicts()
    assert (turn["interrupted"], turn["notes"]) == (None, [])


# Documents


def document_of(tmp_path: Path, text: str) -> turnlat.Run:
    return turnlat.load(write_log(tmp_path / "report.json", [text]))


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_a_document_is_the_same_however_it_is_laid_out(tmp_path: Path, indent: int | None) -> None:
    run = document_of(tmp_path, json.dumps(report_of(Path("1.8.9/main")), indent=indent))
    expected = turnlat.load(DATA / "1.8.9/main/session_report.json")
    assert run.turns.drop("source").equals(expected.turns.drop("source"))
    assert (run.ledger["metric"], run.ledger["bad"]) == (1, 0)
    assert run.ledger["joined"] == run.ledger["lines"] - 1
    assert dict(run.shapes) == {"session report": 1}


def test_a_list_of_metrics_objects_is_a_document(tmp_path: Path) -> None:
    run = document_of(tmp_path, "\n\n" + json.dumps(MEASURED, indent=1))
    assert outcomes(run) == ["replied"]
    assert run.ledger["metric"] == 1
    add_up(run)


def test_a_document_with_a_value_that_cannot_be_is_one_bad_line(tmp_path: Path) -> None:
    items = [user(0), agent(0, 0.9, e2e_latency="slow")]
    bad = write_log(tmp_path / "bad.json", [json.dumps({"items": items}, indent=1)])
    good = write_log(tmp_path / "agent.jsonl", MEASURED)
    run = turnlat.load(bad, good)
    [line] = run.bad_lines
    assert (line.line, line.offset) == (1, 0)
    assert line.reason == "e2e_latency: expected a number, got text"
    add_up(run)


@pytest.mark.parametrize("first", ["{", "[", '{"message": {', '["a",'])
def test_a_log_whose_first_line_is_cut_is_read_line_by_line(tmp_path: Path, first: str) -> None:
    run = load(tmp_path, [first, *MEASURED])
    assert (run.ledger["metric"], run.ledger["joined"]) == (3, 0)
    add_up(run)


def test_a_document_that_is_too_large_is_read_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "LARGEST", 100)
    text = json.dumps(MEASURED, indent=1)
    with pytest.raises(turnlat.InputError, match="holds no metrics"):
        document_of(tmp_path, text)
