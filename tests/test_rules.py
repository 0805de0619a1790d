"""The language of rules: what parses to what, and where the caret stands when nothing does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlat.analysis.rules import (
    DURATION_STATISTICS,
    OUTCOMES,
    RuleError,
    parse_limit,
    parse_regression,
)
from turnlat.metrics import METRICS


@pytest.mark.parametrize(
    ("text", "name", "relation", "value"),
    [
        ("e2e_latency.p95 < 1.5s", "e2e_latency.p95", "<", 1.5),
        ("llm_ttft.p50<=400ms", "llm_ttft.p50", "<=", 0.4),
        ("  tts_ttfb.max  <  2 s  ", "tts_ttfb.max", "<", 2.0),
        ("silent.share < 5%", "silent.share", "<", 0.05),
        ("silent.share < 0.05", "silent.share", "<", 0.05),
        ("interrupted.count <= 3", "interrupted.count", "<=", 3.0),
        ("e2e_latency.count >= 100", "e2e_latency.count", ">=", 100.0),
        ("llm_offset.p50 < -100ms", "llm_offset.p50", "<", -0.1),
        ("e2e_latency.p99.9 < 4s", "e2e_latency.p99.9", "<", 4.0),
        ("e2e_latency.p95[llm_model=a=b [c]] < 1s", "e2e_latency.p95[llm_model=a=b [c]]", "<", 1.0),
    ],
)
def test_a_limit_is_read_as_it_is_written(
    text: str, name: str, relation: str, value: float
) -> None:
    limit = parse_limit(text)
    assert (limit.subject.name, limit.relation) == (name, relation)
    assert limit.value == pytest.approx(value)


@given(
    st.sampled_from(sorted(METRICS)),
    st.sampled_from([s for s in DURATION_STATISTICS if s != "count"]),
    st.integers(-10_000, 10_000),
    st.sampled_from(["", " ", "   "]),
)
def test_any_metric_and_statistic_can_be_limited(
    metric: str, statistic: str, milliseconds: int, space: str
) -> None:
    limit = parse_limit(f"{metric}.{statistic}{space}<{space}{milliseconds}ms")
    assert (limit.subject.metric, limit.subject.statistic) == (metric, statistic)
    assert limit.value == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("text", "marked", "hint"),
    [
        ("e2e_latencyy.p95 < 1s", "e2e_latencyy", "e2e_latency"),
        ("e2e_latency.p955 < 1s", "p955", "p95"),
        ("silent.p95 < 1s", "p95", "share"),
        ("e2e_latency.share < 1%", "share", "mean"),
        ("e2e_latency.p40 < 1s", "p40", "p50"),
        ("e2e_latency < 1.5s", "<", "e2e_latency.mean"),
        ("e2e_latency.p95 1.5s", "1", "relations are"),
        ("e2e_latency.p95 < 1.5", "1.5", "durations are"),
        ("e2e_latency.p95 < 1,5s", "1,5s", "durations are"),
        ("e2e_latency.p95 < 1.5s and", "1.5s and", "durations are"),
        ("silent.share < 5s", "5s", "shares are"),
        ("e2e_latency.p95[llm_model=x < 1s", "l", "[llm_model="),
        ("e2e_latency.p95[llm_model] < 1s", "l", "[llm_model="),
    ],
)
def test_the_caret_stands_under_what_is_wrong(text: str, marked: str, hint: str) -> None:
    with pytest.raises(RuleError) as raised:
        parse_limit(text)
    rule, caret = raised.value.detail
    start, end = caret.index("^"), len(caret)
    assert rule[start:end] == marked
    assert set(caret.strip()) == {"^"}
    assert hint in (raised.value.hint or "")


def refused(parse: Callable[[str], object], text: str) -> RuleError | None:
    try:
        parse(text)
    except RuleError as error:
        return error
    return None


@given(st.text(max_size=60), st.sampled_from([parse_limit, parse_regression]))
def test_any_text_is_a_rule_or_an_error_with_a_place(text: str, parse: Callable) -> None:
    error = refused(parse, text)
    if error is not None:
        rule, caret = error.detail
        assert rule == text
        assert len(caret) <= len(rule) + 1
        assert error.hint


@pytest.mark.parametrize(
    ("text", "relative", "absolute"),
    [
        ("e2e_latency.p95 +10% 50ms", 0.1, 0.05),
        ("e2e_latency.p95 50ms 10%", 0.1, 0.05),
        ("llm_ttft.mean +0.2s", 0.0, 0.2),
        ("tts_ttfb.p50 15%", 0.15, 0.0),
    ],
)
def test_a_regression_has_margins(text: str, relative: float, absolute: float) -> None:
    rule = parse_regression(text)
    assert (rule.relative, rule.absolute) == (pytest.approx(relative), pytest.approx(absolute))


@pytest.mark.parametrize(
    "text",
    [
        "e2e_latency.p95",
        "e2e_latency.p95 -10%",
        "e2e_latency.p95 10",
        "e2e_latency.p95 10% 50ms 1s",
        "e2e_latency.max +10%",
        "silent.share +10%",
    ],
)
def test_what_cannot_be_a_regression_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        parse_regression(text)


def test_every_outcome_has_a_share() -> None:
    for outcome in OUTCOMES:
        assert parse_limit(f"{outcome}.share < 5%").subject.unit == "share"
