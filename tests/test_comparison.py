"""Comparisons: verdicts, what must not change them, and where a change comes from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from golden import check
from logs import DATA, eou, llm, plain, write_log
from rich.cells import cell_len
from runs import Made

import turnlat as package
from turnlat import Gate, Margin, NotComparableError, UsageError, compare, load
from turnlat.analysis.calibration import calibrate
from turnlat.metrics import METRICS

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
NORMAL, AGAIN = Made(1), Made(2)
SLOWER = Made(3, llm=2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def normal(folder: Path) -> package.Run:
    return NORMAL.load(folder)


@pytest.fixture(scope="module")
def slower(folder: Path) -> package.Run:
    return SLOWER.load(folder)


def verdicts(comparison: package.Comparison) -> dict[str, str]:
    return {row.statistic: row.verdict for row in comparison.gated}


def test_a_slower_llm_is_worse_and_named(normal: package.Run, slower: package.Run) -> None:
    found = compare(normal, slower)
    assert found.verdict == "worse"
    assert found.cause is not None
    assert found.cause.metric == "llm_ttft"
    assert found.cause.low is not None
    assert found.cause.low > 0
    slow = {row.metric for row in found.rows if row.verdict in ("slower", "worse")}
    assert slow >= {"e2e_latency", "llm_ttft", "total_latency"}
    assert not slow & {"tts_ttfb", "transcription_delay", "eou_delay"}


def test_another_run_of_the_same_agent_is_not_worse(folder: Path, normal: package.Run) -> None:
    assert compare(normal, AGAIN.load(folder)).verdict in ("same", "inconclusive")


def test_a_run_is_the_same_as_itself(normal: package.Run) -> None:
    found = compare(normal, normal)
    assert found.verdict != "worse"
    assert {row.ratio for row in found.gated} == {1.0}
    assert found.mean.change == 0


def test_swapped_runs_have_mirrored_verdicts(normal: package.Run, slower: package.Run) -> None:
    forth, back = compare(normal, slower), compare(slower, normal)
    assert verdicts(forth)["p50"] == "worse"
    assert {name for name, verdict in verdicts(forth).items() if verdict == "worse"} == {
        name for name, verdict in verdicts(back).items() if verdict == "better"
    }
    for there, here in zip(forth.gated, back.gated, strict=True):
        assert there.p == here.p
        assert there.ratio is not None
        assert here.ratio == pytest.approx(1 / there.ratio, abs=1e-4)
        assert (here.baseline, here.candidate) == (there.candidate, there.baseline)


def test_pairs_of_swapped_runs_are_mirrored_too(normal: package.Run, slower: package.Run) -> None:
    forth, back = (compare(*runs, pair_by="room") for runs in ((normal, slower), (slower, normal)))
    assert (forth.verdict, back.verdict) == ("worse", "better")
    assert [row.p for row in forth.gated] == [row.p for row in back.gated]


def same_but_for_labels(one: package.Comparison, other: package.Comparison) -> bool:
    return replace(one, baseline="", candidate="") == replace(other, baseline="", candidate="")


def test_names_of_runs_and_sessions_change_nothing(
    normal: package.Run, slower: package.Run
) -> None:
    renamed = replace(
        slower,
        label="zzz",
        frame=slower.frame.with_columns(
            session=pl.concat_str(pl.lit("x"), pl.col("session").str.reverse())
        ),
    )
    assert same_but_for_labels(compare(normal, slower), compare(normal, renamed))


def test_the_order_of_sessions_changes_nothing(normal: package.Run, slower: package.Run) -> None:
    turned = replace(slower, frame=slower.frame.reverse())
    assert same_but_for_labels(compare(normal, slower), compare(normal, turned))


def test_a_saved_run_is_its_log(folder: Path, normal: package.Run, slower: package.Run) -> None:
    slower.save(folder / "slower.parquet")
    assert compare(normal, slower) == compare(normal, load(folder / "slower.parquet"))


def test_changes_of_components_add_up(normal: package.Run, slower: package.Run) -> None:
    found = compare(normal, slower)
    assert sum(part.change for part in found.parts) == pytest.approx(found.mean.change, abs=1e-7)
    mean = slower.turns["e2e_latency"].mean() - normal.turns["e2e_latency"].mean()
    assert found.mean.change == pytest.approx(mean, abs=1e-6)


def test_a_formula_is_split_into_what_it_adds_up(tmp_path: Path) -> None:
    logs = []
    for made in (NORMAL, SLOWER):
        records = [json.loads(line) for line in made.write(tmp_path / "a").read_text().splitlines()]
        lines = [plain(r, job_id=r["job_id"], room=r["room"]) for r in records]
        logs.append(load(write_log(tmp_path / f"{made.seed}.jsonl", lines)))
    found = compare(*logs)
    assert (found.wait, found.verdict) == ("total_latency", "worse")
    assert [part.metric for part in found.parts] == [
        "transcription_delay", "endpointing_delay", "llm_ttft", "tts_ttfb",
    ]  # fmt: skip
    assert sum(part.change for part in found.parts) == pytest.approx(found.mean.change, abs=1e-7)


def test_a_measured_wait_is_not_held_against_a_formula_unasked(
    tmp_path: Path, normal: package.Run
) -> None:
    records = [json.loads(line) for line in AGAIN.write(tmp_path / "a").read_text().splitlines()]
    lines = [plain(r, job_id=r["job_id"], room=r["room"]) for r in records]
    formula = load(write_log(tmp_path / "plain.jsonl", lines))
    for runs in ((normal, formula), (formula, normal)):
        with pytest.raises(NotComparableError, match=r"cannot be held against each other"):
            compare(*runs)
    with pytest.raises(NotComparableError, match=r"do not both have e2e_latency"):
        compare(normal, formula, gates=[Gate("e2e_latency", "p95")])
    asked = compare(normal, formula, gates=[Gate("total_latency", "p95")])
    assert asked.wait == "total_latency"
    assert {"one-measured", "grouping-differs"} <= {note.code for note in asked.notes}


def test_different_formulas_are_not_comparable(normal: package.Run) -> None:
    formula = replace(
        normal.with_total(["eou_delay", "tts_ttfb"]),
        frame=normal.frame.with_columns(e2e_latency=pl.lit(None, dtype=pl.Float64)),
    )
    with pytest.raises(NotComparableError, match=r"cannot be held against each other"):
        compare(normal, formula)


def test_a_measured_wait_is_not_held_against_none(folder: Path, normal: package.Run) -> None:
    unmeasured = Made(19, tts=False).load(folder)
    with pytest.raises(NotComparableError, match=r"a measured wait .* has no wait"):
        compare(normal, unmeasured)
    assert compare(normal, unmeasured, gates=[Gate("llm_ttft", "p50")]).verdict != "worse"


def test_responses_of_speech_to_speech_models_are_compared_by_their_first_audio(
    normal: package.Run, slower: package.Run
) -> None:
    unknown = {
        name: pl.lit(None, dtype=pl.Float64)
        for name in METRICS
        if name not in ("llm_ttft", "tts_ttfb")
    }
    early, late = (
        replace(run, frame=run.frame.with_columns(outcome=pl.lit("realtime"), **unknown))
        for run in (normal, slower)
    )
    found = compare(early, late)
    assert (found.wait, found.verdict) == ("llm_ttft", "worse")
    assert [note.code for note in found.notes] == ["realtime-only"]


def test_waits_that_are_all_alike_differ_for_certain_or_not_at_all(normal: package.Run) -> None:
    early, late = (
        replace(normal, frame=normal.frame.with_columns(e2e_latency=pl.lit(wait)))
        for wait in (1.0, 1.5)
    )
    assert {row.verdict for row in compare(early, late).gated} == {"worse"}
    assert {row.verdict for row in compare(early, early).gated} == {"same"}
    row = compare(early, late).gated[0]
    assert row.ratio == pytest.approx(1.5, abs=1e-5)


def test_a_run_without_turns_is_not_comparable(tmp_path: Path, normal: package.Run) -> None:
    lonely = load(write_log(tmp_path / "a.jsonl", [eou("a", 0), llm("b", 50)]))
    empty = replace(lonely, frame=lonely.frame.clear())
    with pytest.raises(NotComparableError, match=r"no turn that a comparison could be of"):
        compare(normal, empty)


def test_fewer_than_five_sessions_have_no_verdict(folder: Path, normal: package.Run) -> None:
    found = compare(normal, Made(4, sessions=4, llm=4.0).load(folder))
    assert found.verdict == "inconclusive"
    assert {row.p for row in found.gated} == {None}
    assert "few-sessions" in {note.code for note in found.notes}
    assert compare(normal, Made(4, sessions=5, llm=4.0).load(folder)).verdict == "worse"


def test_where_only_the_log_is_known_turns_are_the_units(folder: Path) -> None:
    logs = [Made(seed, rooms=False, sessions=9).load(folder) for seed in (6, 7)]
    found = compare(*logs)
    assert "turns-as-units" in {note.code for note in found.notes}
    assert found.gated[0].baseline.sessions == found.gated[0].baseline.turns == 72


def test_logs_of_one_session_each_are_sessions(tmp_path: Path) -> None:
    for seed in (6, 7):
        for number in range(6):
            one = Made(seed * 10 + number, rooms=False, sessions=1)
            one.write(tmp_path / str(seed) / f"{number}.jsonl")
    found = compare(load(tmp_path / "6"), load(tmp_path / "7"))
    assert found.notes == ()
    assert found.gated[0].candidate.sessions == 6


def test_pairs_see_what_unpaired_sessions_hide(folder: Path) -> None:
    runs = Made(8, sessions=8, turns=4), Made(9, sessions=8, turns=4, all_longer=1.2)
    early, late = (made.load(folder) for made in runs)
    assert compare(early, late).verdict == "inconclusive"
    found = compare(early, late, pair_by="room")
    assert found.verdict == "worse"
    assert found.gated[0].ratio == pytest.approx(1.2, abs=0.05)


def test_pairs_need_six_matched_sessions(folder: Path, normal: package.Run) -> None:
    few = Made(10, sessions=5).load(folder)
    found = compare(normal, few, pair_by="room")
    assert found.verdict == "inconclusive"
    assert {"few-pairs", "unmatched"} <= {note.code for note in found.notes}
    assert found.gated[0].baseline.turns == found.gated[0].candidate.turns == 40


def test_without_a_partner_nothing_is_paired(normal: package.Run, slower: package.Run) -> None:
    with pytest.raises(NotComparableError, match=r"--pair-by job_id"):
        compare(normal, slower, pair_by="job_id")


def test_groups_are_compared_and_adjusted(folder: Path) -> None:
    early, late = (
        [Made(seed, model=model, llm=llm).load(folder) for seed, model, llm in each]
        for each in (
            ((11, "gpt-4o", 1.0), (12, "gpt-4o-mini", 1.0)),
            ((13, "gpt-4o", 2.0), (14, "gpt-4o-mini", 1.0)),
        )
    )
    pooled = [replace(a, frame=pl.concat([a.frame, b.frame])) for a, b in (early, late)]
    found = compare(*pooled, by="model")
    assert [(group.group, group.verdict) for group in found.groups] == [
        ("gpt-4o", "worse"), ("gpt-4o-mini", "inconclusive"),
    ]  # fmt: skip
    alone = compare(early[0], late[0])
    assert [row.p for row in found.groups[0].gated] == [2 * (row.p or 0) for row in alone.gated]


def test_other_models_are_named(folder: Path, normal: package.Run) -> None:
    found = compare(normal, Made(15, model="gpt-5").load(folder))
    assert [(m.component, m.model) for m in found.models] == [("llm", "gpt-4o-mini"), ("llm", "gpt-5")]  # fmt: skip # noqa: E501
    assert "models-differ" in {note.code for note in found.notes}


def test_unanswered_turns_are_what_percentiles_cannot_see(
    folder: Path, normal: package.Run
) -> None:
    found = compare(normal, Made(16, silent=6).load(folder))
    [silent] = [share for share in found.shares if share.name == "silent"]
    assert (silent.baseline, silent.candidate) == (0, 0.0625)
    assert silent.low is not None
    assert silent.low > 0


@pytest.mark.parametrize(
    ("gate", "hint"), [(("e2e_latnecy", "p95"), "e2e_latency"), (("llm_ttft", "p59"), "p95")]
)
def test_unknown_names_are_answered_with_the_closest(
    normal: package.Run, gate: tuple[str, str], hint: str
) -> None:
    with pytest.raises(UsageError) as raised:
        compare(normal, normal, gates=[Gate(*gate)])
    assert raised.value.hint is not None
    assert hint in raised.value.hint


def test_gates_and_margins_are_the_callers(normal: package.Run, slower: package.Run) -> None:
    gates = [
        Gate("llm_ttft", "p50", Margin(0.1, 0.05)),
        Gate("llm_ttft", "mean", Margin(0.0, 5.0)),
        Gate("tts_ttfb", "p90"),
    ]
    found = compare(normal, slower, gates=gates)
    assert [(row.metric, row.statistic) for row in found.gated] == [
        (gate.metric, gate.statistic) for gate in gates
    ]
    assert [row.verdict for row in found.gated][:2] == ["worse", "same"]
    assert found.gated[2].verdict != "worse"


def test_a_component_of_zeros_is_compared_in_seconds(
    normal: package.Run, slower: package.Run
) -> None:
    found = compare(normal, slower)
    [row] = [r for r in found.rows if (r.metric, r.statistic) == ("tool_gap", "p50")]
    assert (row.ratio, row.shift, row.verdict) == (None, 0.0, "unclear")


def test_a_run_splits_into_halves_that_rules_are_tried_on(folder: Path) -> None:
    found = calibrate(Made(17, sessions=16).load(folder))
    own = {rule.name: rule for rule in found.rules}["turnlat compare"]
    assert own.low <= own.false_alarms <= own.high
    assert own.false_alarms <= 0.08
    assert own.smallest is not None
    assert found.sessions == (8, 8)


def test_too_few_sessions_do_not_split(folder: Path) -> None:
    with pytest.raises(NotComparableError, match=r"9 sessions .* too few"):
        calibrate(Made(18, sessions=9).load(folder))


@pytest.mark.parametrize("pair_by", [None, "room"])
def test_the_recorded_slower_run_is_worse_because_of_its_llm(pair_by: str | None) -> None:
    logs = (ROOT / "sample_logs/normal.jsonl", ROOT / "sample_logs/slower_llm.jsonl")
    found = compare(*map(load, logs), pair_by=pair_by)
    assert found.verdict == "worse"
    assert found.cause is not None
    assert found.cause.metric == "llm_ttft"


def test_halves_of_the_recorded_run_are_not_worse() -> None:
    run = load(ROOT / "sample_logs/normal.jsonl")
    sessions = run.turns["session"].unique(maintain_order=True).to_list()
    halves = [
        replace(run, frame=run.frame.filter(pl.col("session").is_in(sessions[start::2])))
        for start in (0, 1)
    ]
    assert compare(*halves).verdict != "worse"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder with two logs, so that their names are the same everywhere."""
    NORMAL.write(tmp_path / "normal.jsonl")
    replace(SLOWER, silent=2).write(tmp_path / "slower.jsonl")
    return tmp_path


@pytest.mark.parametrize("width", [80, 120, 200])
def test_compare_looks_as_it_did(turnlat: Callable, logs: Path, width: int) -> None:
    done = turnlat("compare", "normal.jsonl", "slower.jsonl", cwd=logs, COLUMNS=str(width))
    assert (done.exit, done.stderr) == (0, "")
    assert max(map(cell_len, done.stdout.splitlines())) <= width
    check(GOLDEN / f"compare_{width}.txt", done.stdout)


def test_compare_in_markdown_looks_as_it_did(turnlat: Callable, logs: Path) -> None:
    arguments = ("--by", "model", "--pair-by", "room", "--format", "markdown")
    done = turnlat("compare", "normal.jsonl", "new=slower.jsonl", *arguments, cwd=logs)
    assert (done.exit, done.stderr) == (0, "")
    check(GOLDEN / "compare_paired.md", done.stdout)


def test_compare_without_unicode_is_ascii(turnlat: Callable, logs: Path) -> None:
    environment = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = turnlat("compare", "normal.jsonl", "slower.jsonl", cwd=logs, **environment)
    assert done.stdout.isascii()
    assert "|####" in done.stdout


def test_calibration_looks_as_it_did(turnlat: Callable, logs: Path) -> None:
    done = turnlat("compare", "--calibrate", "normal.jsonl", cwd=logs)
    assert (done.exit, done.stderr) == (0, "")
    check(GOLDEN / "calibrate.txt", done.stdout)


def test_the_same_inputs_give_the_same_bytes(turnlat: Callable, logs: Path) -> None:
    def told(*more: str) -> str:
        arguments = ("compare", "normal.jsonl", "slower.jsonl", "--format", "json", *more)
        return str(turnlat(*arguments, cwd=logs).stdout)

    assert told() == told() == told("--jobs", "1") == told("--jobs", "3")


def test_json_and_csv_hold_every_row(turnlat: Callable, logs: Path) -> None:
    turnlat("compare", "normal.jsonl", "slower.jsonl", "-o", "a.json", "-o", "a.csv", cwd=logs)
    document = json.loads((logs / "a.json").read_text())
    assert document["schema"] == "turnlat/comparison/1"
    [comparison] = document["comparisons"]
    assert (comparison["verdict"], comparison["cause"]) == ("worse", "llm_ttft")
    rows = pl.read_csv(logs / "a.csv")
    assert rows["metric"].to_list() == [row["metric"] for row in comparison["rows"]]
    assert rows.filter(gated=True)["verdict"].to_list() == ["worse", "inconclusive"]


def test_several_candidates_are_compared_with_one_baseline(turnlat: Callable, logs: Path) -> None:
    arguments = ("compare", "normal.jsonl", "a=slower.jsonl", "b=normal.jsonl")
    done = turnlat(*arguments, "--format", "json", cwd=logs)
    found = [(c["candidate"], c["verdict"]) for c in json.loads(done.stdout)["comparisons"]]
    assert found[0] == ("a", "worse")
    assert found[1][1] != "worse"


def test_real_recordings_of_few_sessions_compare_without_a_verdict() -> None:
    runs = [load(DATA / version / "main/hook.jsonl") for version in ("1.2.18", "1.8.9")]
    assert compare(*runs).verdict == "inconclusive"
