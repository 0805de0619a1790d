"""Bad input: every line is counted, the bad ones are named, everything else is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import DATA, all_logs, eou, llm, load, tts, write_log
from sums import add_up

import turnlat
from turnlat import readers
from turnlat.blocks import Block
from turnlat.engines import local
from turnlat.sources import find

TURN = [eou("a", 0), llm("a", 0), tts("a", 0.7)]


@pytest.mark.parametrize("log", all_logs(), ids=lambda path: str(path.relative_to(DATA)))
def test_the_ledger_adds_up_on_every_recorded_log(log: Path) -> None:
    try:
        run = turnlat.load(log)
    except turnlat.InputError:
        assert log.suffix == ".txt"  # what dev mode prints
        return
    add_up(run)
    content = log.read_bytes()
    assert run.ledger.lines == content.count(b"\n") + (not content.endswith(b"\n"))


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A recorded log with lines cut, joined, doubled, shuffled and bytes flipped."""
    log = draw(st.sampled_from([path for path in all_logs() if path.suffix == ".jsonl"]))
    lines = log.read_bytes().splitlines()
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["cut", "join", "double", "shuffle", "flip", "drop", "blank"])):
            case "cut":
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case "join" if at + 1 < len(lines):
                lines[at : at + 2] = [lines[at] + lines[at + 1]]
            case "double":
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case "shuffle":
                lines = draw(st.permutations(lines))
            case "flip" if lines[at]:
                line = bytearray(lines[at])
                line[draw(st.integers(0, len(line) - 1))] ^= draw(st.integers(1, 255))
                lines[at] = bytes(line)
            case "drop" if len(lines) > 1:
                del lines[at]
            case "blank":
                lines.insert(at, b"  ")
    end = draw(st.sampled_from([b"", b"\n"]))
    return draw(st.sampled_from([b"\n", b"\r\n"])).join(lines) + end


@settings(max_examples=150, deadline=None)
@given(mutations())
def test_the_ledger_adds_up_on_every_mutation(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    log = tmp_path_factory.mktemp("mutated") / "agent.jsonl"
    log.write_bytes(content)
    try:
        run = turnlat.load(log)
    except turnlat.InputError:
        return
    add_up(run)
    newlines = content.count(b"\n")
    assert run.ledger.lines == newlines + (not content.endswith(b"\n") and content != b"")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_and_any_blocks_give_the_same_turns(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    log = data.draw(st.sampled_from([DATA / "1.8.9/main/hook.jsonl", DATA / PRODUCTION]))
    lines = log.read_bytes().splitlines(keepends=True)
    shuffled = tmp_path_factory.mktemp("shuffled") / log.name
    shuffled.write_bytes(b"".join(data.draw(st.permutations(lines))))
    blocks = data.draw(st.integers(1, 5000))
    tables = local.tabulate(find([str(shuffled)]), block_bytes=blocks)
    place = ["source", "line", "session"] if log.name == "hook.jsonl" else ["source", "line"]
    assert tables.frame.drop(place).equals(turnlat.load(log).frame.drop(place))


PRODUCTION = "1.2.18/threejobs/production.jsonl"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_at_all_break_the_reader(content: bytes) -> None:
    block = Block("fuzz", "fuzz", 1, 0, content)
    reader = readers.LineReader(readers.Options())
    tally = reader.read(block).tally + reader.finish().tally
    assert tally.lines == len(block.lines())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"type":"llm_metrics","ttft":0.4', "not JSON: unexpected end of data (column 33)"),
        (b'ft":0.4,"label":"x"}', "not JSON: the start of the object is missing"),
        (b'{"a":1}{"b":2}', "not JSON: unexpected content after document (column 8)"),
        (b"\xff\xfe garbage", "not UTF-8: invalid start byte at byte 0"),
        (b'{"type":"llm_metrics","label":"\xff"}', "not JSON: str is not valid UTF-8"),
        (b"\0\0\0\0", "NUL bytes"),
        (b'{"type":"tts_metrics","ttfb":"slow"}', "ttfb: expected a number, got text"),
        (b'{"type":"llm_metrics","ttft":true}', "ttft: expected a number, got true or false"),
        (b'{"type":"llm_metrics","speech_id":7}', "speech_id: expected text, got a number"),
        (b'{"type":"eou_metrics","timestamp":1e300}', "timestamp: 1e+300 is no time"),
        (b'{"type":"eou_metrics","timestamp":"noon"}', "timestamp: 'noon' is no ISO-8601 time"),
        (b'{"type":"llm_metrics","ttft":1e999}', "not JSON: number is infinity"),
        (
            b'{"message":"TTS metrics: ttfb=abc, audio_duration=1.0"}',
            "ttfb: expected a number, got text",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    run = load(tmp_path, [*TURN, line, "an ordinary line"])
    assert (run.ledger.bad, run.ledger.metric, run.ledger.other) == (1, 3, 1)
    [bad] = run.bad_lines
    assert bad.line == 4
    assert bad.source.endswith("agent.jsonl")
    assert (tmp_path / "agent.jsonl").read_bytes()[bad.offset :].startswith(line)
    assert bad.reason.startswith(reason)


@pytest.mark.parametrize(
    "line",
    [
        b"Info: on_underlying_io_bytes_received: Close frame received",
        b'INFO got {"a": 1}',
        b'INFO {x} done {"a": 1}',
        b'{"message": "LLM metrics: nothing to see"}',
        b"{}",
        b"[1, 2]",
        b'{"message": "LLM metrics"}',
        b'{"message": {"nested": 1}, "ttft": "fast"}',
        b'{"type": "tomorrows_metrics", "ttft": 0.4}',
        b'{"type": ["llm_metrics"]}',
    ],
)
def test_what_holds_no_metric_is_other(tmp_path: Path, line: bytes) -> None:
    run = load(tmp_path, [*TURN, line])
    assert (run.ledger.bad, run.ledger.other) == (0, 1)


def test_nan_and_infinity_count_as_not_measured(tmp_path: Path) -> None:
    line = json.dumps(llm("a", 0, ttft=float("nan"), tokens_per_second=float("inf")))
    assert "NaN" in line
    run = load(tmp_path, [TURN[0], line.replace("fake.LLM", "NaN in a text"), TURN[2]])
    assert run.ledger.bad == 0
    [turn] = run.turns.to_dicts()
    assert turn["llm_ttft"] is None
    assert [note.code for note in run.notes] == ["not-finite"]


def test_a_bom_crlf_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "agent.jsonl"
    lines = [json.dumps(record).encode() for record in TURN]
    log.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([*lines, b"", b"   "]))
    run = turnlat.load(log)
    assert (run.ledger.metric, run.ledger.blank, run.ledger.bad) == (3, 2, 0)


def test_a_cut_line_of_json_in_json_takes_no_time(tmp_path: Path) -> None:
    line = b'{"message": "NaN ' + b'\\"a\\":' * 100_000  # quadratic: hours
    assert load(tmp_path, [*TURN, line]).ledger.bad == 1


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "*/nothing*"])
def test_a_name_that_no_file_can_have_is_an_input_error(name: str) -> None:
    with pytest.raises(turnlat.InputError):
        turnlat.load(name)


def test_a_line_of_50_mb_is_a_line(tmp_path: Path) -> None:
    huge = json.dumps({"message": "x" * 50_000_000, "level": "INFO"})
    run = load(tmp_path, [TURN[0], huge, *TURN[1:]])
    assert (run.ledger.metric, run.ledger.other, run.ledger.lines) == (3, 1, 4)
    assert run.turns["line"].to_list() == [1]


def test_only_the_first_100_bad_lines_are_kept(tmp_path: Path) -> None:
    run = load(tmp_path, [*TURN, *["{"] * 150])
    assert (run.ledger.bad, len(run.bad_lines)) == (150, 100)


def test_log_lines_with_a_repeated_key_or_odd_session_fields_are_read(tmp_path: Path) -> None:
    odd = {"job_id": None, "room": 7, "pid": True, "agent_name": ["x"]}
    [turn] = load(tmp_path, [record | odd for record in TURN]).turns.to_dicts()
    assert (turn["session"], turn["room"], turn["agent_name"]) == ("7", "7", None)


def refuse(run: Callable, *args: object, **more: object) -> str:
    done = run(*args, **more)
    assert done.exit == 3
    assert done.stdout == ""
    return done.stderr


def test_inputs_that_hold_nothing_say_what_they_hold_instead(
    turnlat: Callable, tmp_path: Path
) -> None:
    (tmp_path / "empty.log").touch()
    write_log(tmp_path / "other.log", ["ordinary"] * 1204)
    write_log(tmp_path / "broken.log", ["fine", '{"a":'])
    where = {"cwd": tmp_path}
    assert "empty.log holds no lines at all" in refuse(turnlat, "analyze", "empty.log", **where)
    assert "other.log holds no metrics (1,204 lines read, all ordinary log lines)" in refuse(
        turnlat, "analyze", "other.log", **where
    )
    assert (
        "broken.log holds no metrics (2 lines read, 1 malformed; the first: line 2, not JSON"
        in refuse(turnlat, "analyze", "broken.log", **where)
    )
    assert "missing.log: no such file or folder" in refuse(
        turnlat, "analyze", "missing.log", **where
    )
    assert "cannot be read" in refuse(turnlat, "analyze", "/proc/self/mem", **where)
    (tmp_path / "folder").mkdir()
    assert "the folder holds no logs" in refuse(turnlat, "analyze", "folder", **where)


@pytest.mark.parametrize(
    "log",
    ["1.3.12/dev/dev.txt", "1.8.9/dev/dev.txt", "1.3.12/objects/objects.rich200.txt"],
)
def test_a_table_that_the_terminal_wrapped_is_named_as_such(turnlat: Callable, log: str) -> None:
    message = refuse(turnlat, "analyze", DATA / log)
    assert "in a table that the terminal wrapped" in message
    assert "hint: log them with" in message


def test_strings_of_a_log_never_act_on_the_terminal_or_the_markup(
    turnlat: Callable, tmp_path: Path
) -> None:
    evil = "\x1b[31mred\x1b]0;title\x07[bold]x[/bold]\u202e|`<b>"
    model = {"metadata": {"model_name": evil, "model_provider": "x"}, "job_id": evil}
    log = write_log(tmp_path / "agent.jsonl", [record | model for record in TURN])
    for output in ("table", "markdown"):
        shown = turnlat("analyze", log, "--format", output, COLUMNS="300").stdout
        assert not set(shown) & {"\x1b", "\x07", "\u202e"}
        assert "\\x1b" in shown
        assert "bold" in shown
    turns = turnlat("analyze", log, "--table", "turns", COLUMNS="2000").stdout
    assert "[bold]x[/bold]" in turns


def test_a_file_name_never_acts_on_the_terminal(turnlat: Callable, tmp_path: Path) -> None:
    message = refuse(turnlat, "analyze", "a\x1b[31m.log", cwd=tmp_path)
    assert "\x1b" not in message
