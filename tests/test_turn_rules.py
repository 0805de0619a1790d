"""The rules from records to turns, one small log each: what the recordings do not exercise."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
from logs import START, eou, llm, load, plain, stt, tts, write_log

import turnlat

GREETING = [llm("greet", -10.0), tts("greet", -9.4, acquire_time=None)]


def turns(run: turnlat.Run) -> list[dict]:
    return run.turns.to_dicts()


def outcomes(run: turnlat.Run) -> list[str]:
    return run.turns["outcome"].to_list()


def answered(speech: str, at: float, **eou_fields: object) -> list[dict]:
    """A plain turn decided at `at`: the user stopped 0.5 s before, audio 0.9 s after."""
    return [eou(speech, at, **eou_fields), llm(speech, at), tts(speech, at + 0.7)]


# Continuations and fillers


def test_a_hand_off_goes_on_under_another_speech_id(tmp_path: Path) -> None:
    run = load(tmp_path, [eou("a", 0), llm("a", 0.01, length=0.3), llm("b", 0.35), tts("b", 0.9)])
    [turn] = turns(run)
    assert turn["outcome"] == "replied"
    assert turn["e2e_latency"] == pytest.approx(0.5 + 0.9 + 0.2)
    assert turn["llm_calls"] == 2
    assert turn["tool_gap"] == pytest.approx(0.34)
    assert turn["notes"] == ["continued"]


def test_tool_steps_chain_until_one_speaks(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), llm("b", 1), llm("c", 2), tts("c", 2.6), tts("d", 8)]
    run = load(tmp_path, records)
    assert outcomes(run) == ["replied", "initiated"]
    assert turns(run)[0]["llm_calls"] == 3


def test_a_cancelled_llm_is_not_continued_by_an_unrelated_say(tmp_path: Path) -> None:
    run = load(tmp_path, [eou("a", 0), llm("a", 0, cancelled=True), tts("s", 3)])
    assert outcomes(run) == ["silent", "initiated"]
    assert turns(run)[0]["interrupted"] is True


def test_an_empty_answer_is_not_continued_by_a_reminder_20_s_later(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0, ttft=-1.0), llm("r", 20), tts("r", 20.6)]
    run = load(tmp_path, records)
    assert outcomes(run) == ["silent", "initiated"]
    assert turns(run)[0]["llm_ttft"] is None
    assert turns(run)[0]["notes"] == ["no-first-token"]


def test_a_continuation_does_not_depend_on_a_stale_eou_after_it(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), llm("b", 1), tts("b", 1.5), *answered("c", 9, delay=14)]
    run = load(tmp_path, records)
    assert outcomes(run) == ["replied", "replied"]
    assert turns(run)[1]["notes"] == ["eou-stale"]


def test_nothing_is_continued_after_the_next_user_turn_ended(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), *answered("b", 4), llm("c", 5.5), tts("c", 6.1)]
    assert outcomes(load(tmp_path, records)) == ["silent", "replied", "initiated"]


def test_a_filler_while_a_tool_runs_ends_the_wait(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), tts("say", 0.6, audio=1.0), llm("a", 3), tts("a", 3.6)]
    [turn] = turns(load(tmp_path, records))
    assert turn["outcome"] == "replied"
    assert turn["e2e_latency"] == pytest.approx(0.5 + 0.6 + 0.2)
    assert turn["remainder"] == pytest.approx(-3.0)
    assert turn["longest_silence"] == pytest.approx(3.8 - 1.8)
    assert turn["notes"] == ["filler"]


def test_a_filler_that_a_tool_generates_is_one_too(tmp_path: Path) -> None:
    records = [
        eou("a", 0), llm("a", 0), llm("g", 0.6), tts("g", 1.2), llm("a", 4), tts("a", 4.6),
    ]  # fmt: skip
    [turn] = turns(load(tmp_path, records))
    assert turn["e2e_latency"] == pytest.approx(0.5 + 1.4)
    assert turn["tool_gap"] == pytest.approx(4.0)
    assert turn["notes"] == ["filler"]


def test_a_filler_on_the_way_to_a_continuation_does_not_end_the_chain(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), tts("say", 0.6), llm("b", 3), tts("b", 3.6)]
    [turn] = turns(load(tmp_path, records))
    assert turn["e2e_latency"] == pytest.approx(1.3)
    assert turn["llm_calls"] == 2
    assert turn["notes"] == ["continued", "filler"]


def test_a_tool_that_answers_with_say_is_the_answer(tmp_path: Path) -> None:
    [turn] = turns(load(tmp_path, [eou("a", 0), llm("a", 0), tts("say", 2)]))
    assert turn["outcome"] == "replied"
    assert turn["sentence_gap"] == pytest.approx(2 - 0.3)
    assert turn["remainder"] == 0
    assert turn["notes"] == ["continued"]


def test_before_1_2_a_tool_reply_follows_the_words_before_the_call(tmp_path: Path) -> None:
    old, oldest = {"metadata": None}, {"metadata": None, "acquire_time": None}
    records = [
        eou("a", 0), llm("a", 0, **old), tts("a", 0.6, audio=1.5, **oldest),
        llm("b", 2.32, **old), tts("b", 3.0, **oldest),
        llm("c", 8, **old), tts("c", 8.6, **oldest),
    ]  # fmt: skip
    run = load(tmp_path, records)
    assert outcomes(run) == ["replied", "initiated"]
    assert turns(run)[0]["longest_silence"] == pytest.approx(1.3)
    model = {"metadata": {"model_name": "nova-3"}}  # LiveKit 1.2.12 or later
    later = load(tmp_path / "later", [*records, stt(1, **model)])
    assert outcomes(later) == ["replied", "initiated", "initiated"]


# The end of speech


def test_a_user_who_resumes_during_a_slow_callback_is_not_stale(tmp_path: Path) -> None:
    records = [
        eou("a", 3.0, on_user_turn_completed_delay=3.0),
        *answered("b", 3.4, on_user_turn_completed_delay=0.1),
    ]
    run = load(tmp_path, records)
    assert turns(run)[1]["notes"] == []
    assert turns(run)[1]["e2e_latency"] == pytest.approx(0.5 + 0.1 + 0.9)


def test_an_eou_that_counts_from_before_the_previous_turn_is_stale(tmp_path: Path) -> None:
    run = load(tmp_path, [*answered("a", 0), *answered("b", 6, delay=6.4)])
    turn = turns(run)[1]
    assert turn["notes"] == ["eou-stale"]
    assert turn["e2e_latency"] is turn["eou_delay"] is turn["total_latency"] is None
    assert turn["llm_ttft"] == 0.3


def test_an_eou_that_counts_from_before_the_greeting_is_stale(tmp_path: Path) -> None:
    first = answered("a", 6, delay=5.0, transcription_delay=4.9999)
    run = load(tmp_path, [tts("hello", 1.5), *first])
    assert outcomes(run) == ["initiated", "replied"]
    assert turns(run)[1]["notes"] == ["eou-stale"]


def test_of_two_eous_at_once_the_second_line_is_the_second_turn(tmp_path: Path) -> None:
    """However many come before them: the lines count as numbers, not as text."""
    eous = [eou(None, min(row, 9) * 20.0, delay=0.5 + row / 100) for row in range(11)]
    turns = load(tmp_path, eous).turns
    assert turns["line"].to_list() == list(range(1, 12))
    assert turns["notes"].to_list() == [*([[]] * 10), ["eou-stale"]]


def test_a_slow_transcript_is_not_stale_for_a_filler_or_an_attempt_before_it(
    tmp_path: Path,
) -> None:
    slow = {"delay": 1.0, "transcription_delay": 0.995}
    attempt = [llm("x", 8.3, length=0.3), tts("x", 8.6, acquire_time=None)]
    run = load(tmp_path, [*answered("p", -9), *attempt, *answered("a", 9, **slow)])
    assert sorted(outcomes(run)) == ["discarded", "replied", "replied"]
    assert turns(run)[-1]["e2e_latency"] == pytest.approx(1.9)
    filler = load(tmp_path, [*answered("p", -9), tts("s", 8.4), *answered("a", 9, **slow)])
    assert turns(filler)[-1]["notes"] == ["filler"]


@pytest.mark.parametrize(
    ("delay", "transcription", "note"),
    [
        (0.0, 0.0, ["eou-unknown"]),
        (0.5, 0.0, []),
        (1_795_332_276.29, 1_795_332_276.0, ["eou-implausible"]),
        (601.0, 0.2, ["eou-implausible"]),
        (-0.1, 0.2, ["eou-implausible"]),
    ],
)
def test_what_says_nothing_about_the_end_of_speech(
    tmp_path: Path, delay: float, transcription: float, note: list[str]
) -> None:
    run = load(tmp_path, answered("a", 0, delay=delay, transcription_delay=transcription))
    [turn] = turns(run)
    assert turn["notes"] == note
    assert (turn["e2e_latency"] is None) == bool(note)
    assert turn["outcome"] == "replied"


def test_a_clock_that_steps_back_leaves_the_wait_unknown(tmp_path: Path) -> None:
    [turn] = turns(load(tmp_path, [eou("a", 0), llm("a", -59), tts("a", -58.3)]))
    assert turn["notes"] == ["clock-step"]
    for name in ("e2e_latency", "llm_offset", "sentence_gap", "remainder", "longest_silence"):
        assert turn[name] is None
    assert (turn["llm_ttft"], turn["tts_ttfb"]) == (0.3, 0.2)
    assert turn["total_latency"] == pytest.approx(1.0)


# What is first


def test_first_is_first_on_the_clock_not_in_the_file(tmp_path: Path) -> None:
    records = [
        tts("a", 2.0, ttfb=0.9),
        tts("a", 0.7, ttfb=0.25),
        llm("a", 0, length=3),
        eou("a", 0),
    ]
    [turn] = turns(load(tmp_path, records))
    assert turn["tts_ttfb"] == 0.25
    assert turn["e2e_latency"] == pytest.approx(0.5 + 0.95)


def test_a_cancelled_sentence_is_no_speech(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), tts("a", 0.5, ttfb=-1.0, audio=0.0, cancelled=True)]
    [turn] = turns(load(tmp_path, [*records, *answered("b", 9)]))[:1]
    assert turn["outcome"] == "silent"
    assert turn["notes"] == ["no-first-byte"]


def test_preemptive_generation_saves_its_offset(tmp_path: Path) -> None:
    [turn] = turns(load(tmp_path, [llm("a", -0.4), eou("a", 0), tts("a", 0.3)]))
    assert turn["llm_offset"] == pytest.approx(-0.4)
    assert turn["e2e_latency"] == pytest.approx(0.5 + 0.5)
    assert turn["remainder"] == 0


def test_preemptive_audio_is_held_back_until_the_decision(tmp_path: Path) -> None:
    [turn] = turns(load(tmp_path, [llm("a", -1.0), tts("a", -0.6), eou("a", 0)]))
    assert turn["e2e_latency"] == pytest.approx(0.5)
    assert turn["remainder"] == pytest.approx(0.4)
    assert turn["notes"] == ["held-back"]


def test_without_llm_metrics_the_remainder_is_the_whole_rest(tmp_path: Path) -> None:
    [turn] = turns(load(tmp_path, [eou("a", 0), tts("a", 1.2)]))
    assert turn["llm_ttft"] is turn["llm_offset"] is turn["tool_gap"] is None
    assert turn["remainder"] == pytest.approx(1.2)
    assert turn["notes"] == ["no-llm"]


def test_a_tts_record_without_duration_has_a_total_but_no_wait(tmp_path: Path) -> None:
    [turn] = turns(load(tmp_path, [eou("a", 0), llm("a", 0), tts("a", 0.7, duration=None)]))
    assert turn["e2e_latency"] is turn["longest_silence"] is None
    assert turn["total_latency"] == pytest.approx(1.0)
    assert turn["notes"] == ["no-duration"]


def test_the_longest_silence_is_the_dead_air_after_let_me_check(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), tts("a", 0.5, audio=1.0), llm("a", 5), tts("a", 5.6)]
    [turn] = turns(load(tmp_path, records))
    assert turn["e2e_latency"] == pytest.approx(1.2)
    assert turn["tool_gap"] == 0
    assert turn["longest_silence"] == pytest.approx(5.8 - 1.7)


def test_sentences_play_in_the_order_in_which_they_started(tmp_path: Path) -> None:
    slow, quick = tts("a", 0.5, ttfb=0.5, length=0.6), tts("a", 0.6, ttfb=0.1, length=0.2)
    [turn] = turns(load(tmp_path, [eou("a", 0), llm("a", 0), slow, quick]))
    assert turn["e2e_latency"] == pytest.approx(1.5)
    assert turn["remainder"] == 0


def test_what_no_component_can_take_is_not_measured(tmp_path: Path) -> None:
    odd = [eou("a", 0), llm("a", 0, prompt_tokens=10**15), tts("a", 0.7, ttfb=1e20)]
    [turn] = turns(load(tmp_path, odd))
    assert turn["outcome"] == "replied"
    assert turn["tts_ttfb"] is turn["prompt_tokens"] is turn["e2e_latency"] is None
    assert "implausible" in turn["notes"]
    callback = {"on_user_turn_completed_delay": 1.79e9}
    [turn] = turns(load(tmp_path, answered("a", 0, **callback)))
    assert turn["e2e_latency"] is None
    assert turn["notes"] == ["eou-implausible"]


def test_a_silent_turn_whose_llm_was_cut_short_may_have_been_heard(tmp_path: Path) -> None:
    run = load(tmp_path, [*answered("a", 0), eou("b", 9), llm("b", 9, cancelled=True)])
    assert turns(run)[1]["notes"] == ["maybe-heard"]


def test_an_answer_that_the_user_overtook_may_never_have_been_heard(tmp_path: Path) -> None:
    records = [
        eou("a", 3.0, on_user_turn_completed_delay=3.0), llm("a", 3.0), tts("a", 3.7),
        *answered("b", 3.9),
    ]  # fmt: skip
    assert turns(load(tmp_path, records))[0]["notes"] == ["overtaken"]


# Speeches without EOU


@pytest.mark.parametrize(("acquires", "expected"), [(0.0, "initiated"), (None, "discarded")])
def test_an_attempt_with_audio_is_discarded_in_versions_before_1_5_2(
    tmp_path: Path, acquires: float | None, expected: str
) -> None:
    attempt = [llm("x", 8.0), tts("x", 8.4, acquire_time=acquires)]
    run = load(tmp_path, [*answered("a", 0), *attempt, *answered("b", 10)])
    assert sorted(outcomes(run)) == sorted(["replied", expected, "replied"])


def test_an_attempt_without_audio_is_discarded(tmp_path: Path) -> None:
    run = load(tmp_path, [*GREETING, *answered("a", 0), llm("x", 4), *answered("b", 9)])
    assert outcomes(run) == ["initiated", "replied", "discarded", "replied"]


def test_a_session_without_tts_metrics_is_unmeasured(tmp_path: Path) -> None:
    run = load(tmp_path, [eou("a", 0), llm("a", 0), eou("b", 9), llm("b", 9)])
    assert outcomes(run) == ["unmeasured", "unmeasured"]
    assert run.latency.filter(metric="llm_ttft")["count"].item() == 2


def test_a_log_without_eou_has_statistics_over_all_speeches(tmp_path: Path) -> None:
    run = load(tmp_path, [llm("a", 0), tts("a", 0.6), llm("b", 9), tts("b", 9.6)])
    assert outcomes(run) == ["initiated", "initiated"]
    assert run.latency.filter(metric="tts_ttfb")["count"].item() == 2
    assert [note.code for note in run.notes] == ["no-eou"]


def test_a_log_of_llm_metrics_alone_has_their_statistics(tmp_path: Path) -> None:
    run = load(tmp_path, [llm("a", 0), llm("b", 9)])
    assert run.latency.filter(metric="llm_ttft")["count"].item() == 2


def test_a_realtime_session_with_eous_has_statistics_over_its_responses(tmp_path: Path) -> None:
    response = {
        "type": "realtime_model_metrics", "request_id": "r1", "timestamp": START + 1, "ttft": 0.5,
        "input_tokens": 1e30, "output_tokens": 150,
    }  # fmt: skip
    run = load(tmp_path, [eou("a", 0), response])
    assert outcomes(run) == ["unmeasured", "realtime"]
    assert run.latency.filter(metric="llm_ttft")["count"].item() == 1
    assert [note.code for note in run.notes] == ["unmeasured"]


def test_own_llm_calls_are_unattributed(tmp_path: Path) -> None:
    run = load(tmp_path, [*answered("a", 0), llm(None, 1.5)])
    assert run.ledger.unattributed == 1
    assert turns(run)[0]["llm_calls"] == 1


def test_responses_of_a_realtime_model_are_rows_of_their_own(tmp_path: Path) -> None:
    response = {
        "type": "realtime_model_metrics", "request_id": "r1", "timestamp": START, "ttft": 0.51,
        "duration": 2.5, "cancelled": False, "input_tokens": 300, "output_tokens": 150,
        "input_token_details": {"cached_tokens": 64},
    }  # fmt: skip
    silent = response | {"request_id": "r2", "timestamp": START + 5, "ttft": -1.0}
    opened = response | {
        "request_id": "", "timestamp": START - 1, "ttft": -1.0, "input_tokens": 0,
        "output_tokens": 0,
    }  # fmt: skip
    run = load(tmp_path, [opened, response, silent])
    assert outcomes(run) == ["realtime", "realtime"]
    assert [turn["llm_ttft"] for turn in turns(run)] == [0.51, None]
    assert run.ledger.in_sessions == 1
    assert run.latency.filter(metric="llm_ttft")["p50"].item() == 0.51


# Sessions and duplicates


def test_inferred_speeches_do_not_depend_on_other_sessions(tmp_path: Path) -> None:
    """Second sentences start on the very bound up to which they belong to the first."""
    dice = random.Random(1)
    sessions = []
    for number in range(300):
        at, audio = dice.randrange(100_000) / 100, dice.randrange(1, 900) / 100
        lines = [
            plain(eou(None, at)),
            plain(tts(None, at + 0.2, audio=audio, ttfb=0.0)),
            plain(tts(None, round(at + 1 + audio, 2) - 0.3, audio=1.0, ttfb=0.0)),
        ]
        sessions += [line | {"job_id": f"AJ_{number:03}"} for line in lines]
    first = [plain(eou(None, 0)), plain(tts(None, 0.2, audio=8.16))]
    alone = load(tmp_path, sessions).turns
    behind = load(tmp_path, [line | {"job_id": "AJ_"} for line in first] + sessions).turns
    columns = ["session", "turn", "outcome", "tts_segments", "first_audio_at"]
    rows = behind.filter(pl.col("session") != "AJ_").select(columns).sort(columns)
    assert rows.equals(alone.select(columns).sort(columns))


def test_a_speech_whose_records_lie_in_two_files_is_one(tmp_path: Path) -> None:
    first = write_log(tmp_path / "one.jsonl", [eou("a", 0), llm("a", 0)])
    second = write_log(tmp_path / "two.jsonl", [tts("a", 0.7), *answered("b", 9)])
    run = turnlat.load(first, second)
    assert outcomes(run) == ["replied", "replied"]
    assert turns(run)[0]["session"] == str(first)
    assert turns(run)[0]["line"] == 1


def test_rotated_files_are_one_source(tmp_path: Path) -> None:
    write_log(tmp_path / "agent.log.2", [*GREETING, eou("a", 0)])
    write_log(tmp_path / "agent.log.1", [llm("a", 0), tts("a", 0.7)])
    write_log(tmp_path / "agent.log", answered("b", 9))
    run = turnlat.load(tmp_path)
    assert outcomes(run) == ["initiated", "replied", "replied"]
    assert run.turns["session"].unique().to_list() == [str(tmp_path / "agent.log")]
    assert turns(run)[1]["source"] == str(tmp_path / "agent.log.2")


def test_a_jobs_id_is_the_session_whatever_else_a_line_carries(tmp_path: Path) -> None:
    keys = {"job_id": "AJ_1", "room": "lobby", "pid": 7}
    run = load(tmp_path, [r | keys for r in answered("a", 0)])
    assert turns(run)[0]["session"] == "AJ_1"
    assert turns(run)[0]["room"] == "lobby"


def test_speech_ids_that_repeat_in_two_jobs_stay_apart(tmp_path: Path) -> None:
    jobs = [[r | {"job_id": job} for r in answered("s1", at)] for job, at in (("A", 0), ("B", 1))]
    run = load(tmp_path, [*jobs[0], *jobs[1]])
    assert outcomes(run) == ["replied", "replied"]
    assert run.turns["session"].to_list() == ["A", "B"]
    assert turns(run)[0]["notes"] == ["ids-repeated"]


def test_a_record_that_was_logged_twice_counts_once(tmp_path: Path) -> None:
    run = load(tmp_path, [*answered("a", 0), *answered("a", 0), stt(1), stt(1)])
    assert run.ledger.duplicates == 4
    assert turns(run)[0]["llm_calls"] == 1
    assert run.usage.filter(component="stt")["stt_audio_duration"].item() == 5.05


def test_the_same_eou_in_two_jobs_is_two(tmp_path: Path) -> None:
    run = load(tmp_path, [eou("s", 0) | {"job_id": "A"}, eou("s", 0) | {"job_id": "B"}])
    assert run.ledger.duplicates == 0
    assert outcomes(run) == ["unmeasured", "unmeasured"]


def test_ids_of_any_characters_stay_apart(tmp_path: Path) -> None:
    one, two = eou("c", 0) | {"job_id": "a\x1fb"}, eou("b\x1fc", 1) | {"job_id": "a"}
    run = load(tmp_path, [one, two, eou("segment 1.0", 2), llm(None, 3)])
    assert run.ledger.in_turns == 4
    assert run.turns.height == 3


def test_vad_records_a_millisecond_apart_are_two(tmp_path: Path) -> None:
    vad = {"type": "vad_metrics", "label": "x", "timestamp": START, "inference_count": 3}
    run = load(tmp_path, [*answered("a", 0), vad, vad | {"timestamp": START + 0.001}, vad])
    assert run.ledger.duplicates == 1


def test_equal_plain_lines_within_2_ms_are_one(tmp_path: Path) -> None:
    lines = [plain(r, job_id="A") for r in answered("a", 0)]
    again = [plain(r | {"timestamp": r["timestamp"] + 0.001}, job_id="A") for r in answered("a", 0)]
    later = [plain(r | {"timestamp": r["timestamp"] + 0.01}, job_id="A") for r in answered("a", 0)]
    assert load(tmp_path, [*lines, *again]).ledger.duplicates == 3
    assert load(tmp_path, [*lines, *later]).ledger.duplicates == 0


def test_two_conversations_in_one_file_without_ids_are_left_as_they_are(tmp_path: Path) -> None:
    one = [*answered("a", 0), *answered("b", 10), eou("c", 20), llm("c", 20)]
    two = [*answered("x", 0.4), *answered("y", 10.3, delay=10.2), llm("z", 21), tts("z", 21.5)]
    run = load(tmp_path, [*one, *two])
    by_speech = {turn["speech_id"]: turn for turn in turns(run)}
    assert by_speech["y"]["e2e_latency"] == pytest.approx(10.2 + 0.9)
    assert by_speech["y"]["notes"] == ["neighbours-unknown"]
    assert by_speech["c"]["outcome"] == "silent"
    assert by_speech["z"]["outcome"] == "initiated"
    named = [r | {"room": "one"} for r in one] + [r | {"room": "two"} for r in two]
    apart = {turn["speech_id"]: turn for turn in turns(load(tmp_path / "named", named))}
    assert apart["y"]["notes"] == ["eou-stale"]


# Sessions without speech ids


def test_llm_and_tts_without_ids_beside_eous_with_them(tmp_path: Path) -> None:
    records = [*answered("a", 0), *answered("b", 9)]
    bare = [r if r["type"] == "eou_metrics" else r | {"speech_id": None} for r in records]
    run = load(tmp_path, bare)
    exact = load(tmp_path / "exact", records)
    assert run.turns["grouping"].to_list() == ["inferred", "inferred"]
    assert run.turns["speech_id"].to_list() == ["a", "b"]
    assert run.turns["e2e_latency"].to_list() == exact.turns["e2e_latency"].to_list()
    assert [note.code for note in run.notes] == ["inferred"]


def test_a_plain_preemptive_llm_line_belongs_to_the_eou_after_it(tmp_path: Path) -> None:
    records = [
        *answered("a", 0),
        llm(None, 9.6, ttft=0.1, length=0.3), eou("b", 10), tts(None, 10.1),
    ]  # fmt: skip
    run = load(tmp_path, [plain(r) for r in records])
    assert outcomes(run) == ["replied", "replied"]
    assert [turn["llm_calls"] for turn in turns(run)] == [1, 1]
    assert turns(run)[1]["llm_ttft"] == 0.1


def test_the_last_plain_attempt_counts_and_the_others_are_discarded(tmp_path: Path) -> None:
    attempts = [llm(None, 8.0, ttft=0.11, length=0.2), llm(None, 9.6, ttft=0.12, length=0.3)]
    records = [*answered("a", 0), *attempts, eou("b", 10), tts(None, 10.1)]
    run = load(tmp_path, [plain(r) for r in records])
    assert sorted(outcomes(run)) == ["discarded", "replied", "replied"]
    assert turns(run)[-1]["llm_ttft"] == 0.12


def test_a_plain_attempt_is_discarded_where_the_eou_got_a_call_of_its_own(tmp_path: Path) -> None:
    attempt = llm(None, 9.0, ttft=0.11, length=0.2)
    records = [*answered("a", 0), attempt, *answered("b", 10)]
    run = load(tmp_path, [plain(r) for r in records])
    assert sorted(outcomes(run)) == ["discarded", "replied", "replied"]
    assert turns(run)[-1]["llm_ttft"] == 0.3


def test_a_plain_preemptive_answer_before_its_eou_belongs_to_it(tmp_path: Path) -> None:
    early = [llm(None, 9.0, length=0.3), tts(None, 9.35, length=0.3), eou("b", 10)]
    run = load(tmp_path, [plain(r) for r in [*answered("a", 0), *early, *answered("c", 20)]])
    assert outcomes(run) == ["replied", "replied", "replied"]


def test_a_plain_answer_that_starts_after_the_audio_ended_is_initiated(tmp_path: Path) -> None:
    reminder = [llm(None, 6), tts(None, 6.6)]
    greeting = [tts(None, -8)]
    run = load(tmp_path, [plain(r) for r in [*greeting, *answered("a", 0), *reminder]])
    assert outcomes(run) == ["initiated", "replied", "initiated"]


def test_a_plain_tool_reply_after_spoken_words_is_the_same_turn(tmp_path: Path) -> None:
    records = [*answered("a", 0), llm(None, 3.0, length=0.5), tts(None, 3.6)]
    [turn] = turns(load(tmp_path, [plain(r) for r in records]))
    assert (turn["llm_calls"], turn["tts_segments"]) == (2, 2)


def test_a_plain_silent_turn_keeps_its_own_llm_line(tmp_path: Path) -> None:
    records = [*answered("a", 0), eou("b", 9), llm(None, 9.01), *answered("c", 14)]
    run = load(tmp_path, [plain(r) for r in records])
    assert outcomes(run) == ["replied", "silent", "replied"]
    assert [turn["llm_calls"] for turn in turns(run)] == [1, 1, 1]


# The formula


def test_total_adds_up_any_components_and_warns_of_counting_twice(tmp_path: Path) -> None:
    run = load(tmp_path, answered("a", 0)).with_total(["eou_delay", "transcription_delay"])
    assert turns(run)[0]["total_latency"] == pytest.approx(0.7)
    assert [note.code for note in run.notes] == ["total-double"]
    again = run.with_total(["llm_ttft"])
    assert turns(again)[0]["total_latency"] == pytest.approx(0.3)
    assert again.notes == []


def test_total_of_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(turnlat.UsageError, match="'ttft' is no component"):
        load(tmp_path, answered("a", 0)).with_total(["ttft"])
