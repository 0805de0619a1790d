"""Spans against a hook: one real session, recorded by both, has the same turns in both."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import agent
import pytest
from exporter import FileExporter
from livekit.agents import AgentSession
from livekit.agents.metrics import RealtimeModelMetrics
from livekit.agents.telemetry import set_tracer_provider
from livekit.agents.telemetry.utils import record_realtime_metrics
from logs import write_log
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import turnlat
from turnlat.metrics import COMPONENTS
from turnlat.readers import otlp
from turnlat.readers.fields import BadValueError

AGREEMENT = 0.005
"""Seconds between what LiveKit says of a wait, and what its spans tell."""
HOOK_AGREEMENT = 0.03
"""A hook's EOU is emitted after the reply is created, which takes a busy machine its time."""
UTTERANCES = ("Hello there", "What is the weather", "I would like ... a coffee", "Goodbye")


@dataclass(frozen=True)
class Conversation:
    """What the hook and the exporter wrote of one conversation."""

    hook: turnlat.Run
    records: list[str]
    """The lines of the hook's log."""
    requests: list[dict[str, Any]]
    """One per span, in the order in which they ended."""

    @property
    def document(self) -> dict[str, Any]:
        """All spans in one request."""
        return {"resourceSpans": [s for r in self.requests for s in r["resourceSpans"]]}


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Conversation:
    folder = tmp_path_factory.mktemp("conversation")
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(FileExporter(folder / "spans.jsonl")))
    set_tracer_provider(provider)
    records: list[str] = []

    def listen(session: AgentSession) -> None:
        session.on("metrics_collected", lambda ev: records.append(ev.metrics.model_dump_json()))

    asyncio.run(agent.converse(listen, *UTTERANCES))
    lines = (folder / "spans.jsonl").read_text().splitlines()
    hook = turnlat.load(write_log(folder / "hook.jsonl", list(records)))
    return Conversation(hook, records, [json.loads(line) for line in lines])


def load(folder: Path, *requests: dict[str, Any]) -> turnlat.Run:
    return turnlat.load(write_log(folder / "spans.json", list(requests)))


def replied(run: turnlat.Run) -> list[dict[str, Any]]:
    return run.turns.filter(outcome="replied").to_dicts()


def spans(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


def rewritten(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """`value` with every object in it changed, the inner ones first."""
    if isinstance(value, list):
        return [rewritten(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    return change({name: rewritten(item, change) for name, item in value.items()})


def test_the_exporter_writes_ids_in_hex(conversation: Conversation) -> None:
    for span in spans(conversation.document):
        assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
        assert re.fullmatch("[0-9a-f]{16}", span["spanId"])


def test_spans_have_as_many_turns_of_each_outcome_as_the_hook(
    conversation: Conversation, tmp_path: Path
) -> None:
    run = load(tmp_path, conversation.document)
    assert run.ledger.outcomes == conversation.hook.ledger.outcomes
    assert run.ledger.outcomes["replied"] == len(UTTERANCES)
    assert run.ledger.outcomes["discarded"] == 1
    assert run.ledger.unattributed == 0


def test_spans_and_hook_agree_on_every_wait_and_its_components(
    conversation: Conversation, tmp_path: Path
) -> None:
    run = load(tmp_path, conversation.document)
    pairs = zip(replied(run), replied(conversation.hook), strict=True)
    for ours, hooked in pairs:
        assert ours["speech_id"] == hooked["speech_id"]
        for name in ("e2e_latency", *(component.name for component in COMPONENTS)):
            assert ours[name] == pytest.approx(hooked[name], abs=HOOK_AGREEMENT), name


def test_the_wait_is_what_livekit_says_on_the_agent_turn(
    conversation: Conversation, tmp_path: Path
) -> None:
    stated = [
        attribute["value"]["doubleValue"]
        for span in spans(conversation.document)
        for attribute in span.get("attributes", [])
        if attribute["key"] == "lk.e2e_latency"
    ]
    waits = [row["e2e_latency"] for row in replied(load(tmp_path, conversation.document))]
    assert waits == pytest.approx(stated, abs=AGREEMENT)


def test_the_fields_may_have_the_names_of_the_definition(
    conversation: Conversation, tmp_path: Path
) -> None:
    def snake(value: dict[str, Any]) -> dict[str, Any]:
        return {re.sub("[A-Z]", lambda c: f"_{c[0].lower()}", k): v for k, v in value.items()}

    expected = load(tmp_path, conversation.document).turns
    assert load(tmp_path, rewritten(conversation.document, snake)).turns.equals(expected)


@pytest.mark.parametrize("size", [1, 7, 40])
def test_requests_of_one_file_are_read_as_one(
    conversation: Conversation, tmp_path: Path, size: int
) -> None:
    requests = conversation.requests
    starts = range(0, len(requests), size)
    batches = [replace(conversation, requests=requests[i : i + size]).document for i in starts]
    run, whole = load(tmp_path / "b", *batches), load(tmp_path / "w", conversation.document)
    place = ["session", "source", "line"]
    assert run.turns.drop(place).equals(whole.turns.drop(place))
    assert (run.ledger.metric, run.ledger.joined) == (1, len(batches) - 1)


def test_a_session_in_two_files_is_grouped_by_inference(
    conversation: Conversation, tmp_path: Path
) -> None:
    requests = conversation.requests
    for name, part in (("one", requests[:40]), ("two", requests[40:])):
        document = replace(conversation, requests=part).document
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(document))
    run = turnlat.load(tmp_path)
    assert run.ledger.unattributed == 0
    assert run.ledger.outcomes == conversation.hook.ledger.outcomes
    pairs = zip(replied(run), replied(conversation.hook), strict=True)
    for ours, hooked in pairs:
        assert ours["grouping"] == "inferred"
        assert ours["total_latency"] == pytest.approx(hooked["total_latency"], abs=HOOK_AGREEMENT)
        for name in ("e2e_latency", "callback_delay"):
            assert ours[name] == pytest.approx(hooked[name], abs=HOOK_AGREEMENT), name


@pytest.mark.parametrize("part", [slice(None), slice(40), slice(20, None)], ids=str)
def test_spans_beside_a_hook_log_change_no_turn(
    conversation: Conversation, tmp_path: Path, part: slice
) -> None:
    requests = conversation.requests[part]
    write_log(tmp_path / "hook.jsonl", list(conversation.records))
    write_log(tmp_path / "spans.jsonl", list(requests))
    both, hook = turnlat.load(tmp_path), conversation.hook
    measured = ["speech_id", "outcome", "e2e_latency", *(c.name for c in COMPONENTS), "llm_calls"]
    assert both.turns.select(measured).equals(hook.turns.select(measured))


def test_a_turn_that_the_callback_stops_is_no_user_turn(conversation: Conversation) -> None:
    document = json.loads(json.dumps(conversation.document))
    callback = next(s for s in spans(document) if s["name"] == "on_user_turn_completed")
    callback["events"] = [{"name": "stop_response", "timeUnixNano": callback["endTimeUnixNano"]}]
    eous = [found for found in otlp.decode(document) or [] if found.kind == "eou"]
    assert len(eous) == len(UTTERANCES) - 1


def test_a_node_tells_what_livekit_did_not_measure(
    conversation: Conversation, tmp_path: Path
) -> None:
    def cut(value: dict[str, Any]) -> dict[str, Any]:
        """As OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT does."""
        text = value.get("stringValue")
        return {"stringValue": text[:64]} if text else value

    run = load(tmp_path, rewritten(conversation.document, cut))
    pairs = zip(replied(run), replied(conversation.hook), strict=True)
    for ours, hooked in pairs:
        assert ours["speech_id"] == hooked["speech_id"]
        assert ours["llm_calls"] == hooked["llm_calls"]
        assert ours["llm_ttft"] == pytest.approx(hooked["llm_ttft"], abs=HOOK_AGREEMENT)
        assert ours["tts_ttfb"] == pytest.approx(hooked["tts_ttfb"], abs=HOOK_AGREEMENT)
        assert ours["e2e_latency"] is None


def test_a_session_is_named_by_what_its_spans_say(conversation: Conversation) -> None:
    document = json.loads(json.dumps(conversation.document))
    session = next(span for span in spans(document) if span["name"] == "agent_session")
    for name, value in (("lk.job_id", "AJ_1"), ("lk.pii.room_name", "lobby")):
        session["attributes"].append({"key": name, "value": {"stringValue": value}})
    origins = [found.origin for found in otlp.decode(document) or []]
    assert {origin["job_id"] for origin in origins} == {"AJ_1"}
    assert {origin["room"] for origin in origins} == {"lobby"}
    assert {origin["hook_session"] for origin in origins} == {session["traceId"]}


def test_a_realtime_response_is_read_from_its_span(tmp_path: Path) -> None:
    details = {"audio_tokens": 10, "text_tokens": 2, "image_tokens": 0, "cached_tokens": 4}
    fields = {"timestamp": 1795332033.0, "duration": 2.0, "ttft": 0.25, "cancelled": False}
    tokens = {"input_tokens": 12, "output_tokens": 30, "total_tokens": 42, "tokens_per_second": 15}
    response = RealtimeModelMetrics(
        label="tests",
        request_id="response-1",
        input_token_details=details | {"cached_tokens_details": None},
        output_token_details=details,
        **fields,
        **tokens,
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(FileExporter(tmp_path / "spans.jsonl")))
    with provider.get_tracer("livekit-agents").start_as_current_span("realtime_inference") as span:
        record_realtime_metrics(span, response)
    (found,) = otlp.decode(json.loads((tmp_path / "spans.jsonl").read_text())) or []
    assert (found.kind, found.record.request_id) == ("realtime", "response-1")
    assert (found.record.ttft, found.record.cached_tokens) == (0.25, 4)


def test_a_cancelled_request_is_no_record(conversation: Conversation) -> None:
    document = json.loads(json.dumps(conversation.document))
    for span in spans(document):
        kept = [a for a in span.get("attributes", []) if a["key"] != "lk.tts_metrics"]
        span["attributes"] = kept
    assert {found.kind for found in otlp.decode(document) or []} == {"eou", "llm"}


def session_of(*inner: dict[str, Any]) -> dict[str, Any]:
    """A whole session as LiveKit 1.2 writes it; times are seconds since its start."""
    around = [
        {"spanId": "root", "name": "agent_session", "at": (0, 60)},
        {"spanId": "start", "parentSpanId": "root", "name": "start_agent_activity", "at": (0, 1)},
    ]
    return {"resourceSpans": [{"scopeSpans": [{"spans": [encoded(s) for s in (*around, *inner)]}]}]}


def encoded(span: dict[str, Any]) -> dict[str, Any]:
    start, end = ((1795332000 + at) * 10**9 for at in span["at"])
    pairs = span.get("attributes", {}).items()
    value = {str: "stringValue", float: "doubleValue"}
    attributes = [{"key": k, "value": {value[type(v)]: v}} for k, v in pairs]
    times = {"startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}
    return {"parentSpanId": "root"} | span | times | {"attributes": attributes}


def test_an_answer_to_typed_input_is_not_the_answer_to_what_was_said() -> None:
    said = {"lk.user_transcript": "Hello", "lk.end_of_utterance_delay": 0.5}
    answer = {"lk.user_input": "Hello", "lk.speech_id": "speech_1"}
    typed = {"lk.user_input": "Bye", "lk.speech_id": "speech_2"}
    line = session_of(
        {"spanId": "u", "name": "user_turn", "at": (3, 5), "attributes": said},
        {"spanId": "a", "name": "assistant_turn", "at": (5, 9), "attributes": answer},
        {"spanId": "b", "name": "assistant_turn", "at": (12, 14), "attributes": typed},
    )
    (found,) = otlp.decode(line) or []
    assert (found.kind, found.record.speech_id) == ("eou", "speech_1")


def test_what_a_tool_says_is_a_speech_of_its_own() -> None:
    turn = {"lk.user_input": "Hello", "lk.speech_id": "speech_1"}
    heard = {"lk.response.ttfb": 0.2}
    line = session_of(
        {"spanId": "a", "name": "assistant_turn", "at": (5, 9), "attributes": turn},
        {"spanId": "f", "parentSpanId": "a", "name": "function_tool", "at": (6, 8)},
        {
            "spanId": "t",
            "parentSpanId": "f",
            "name": "tts_node",
            "at": (6, 7),
            "attributes": heard,
        },
    )
    (found,) = otlp.decode(line) or []
    assert (found.kind, found.record.speech_id) == ("tts", "span_t")


@pytest.mark.parametrize(
    "line",
    [
        {"resourceSpans": []},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "GET /", "attributes": 7}]}]}]},
        {"resource_spans": [{"scope_spans": None}, 3, {"resource": "x"}]},
    ],
)
def test_other_peoples_spans_hold_no_metric(line: dict[str, Any]) -> None:
    assert otlp.decode(line) == []


@pytest.mark.parametrize("line", [{}, {"resourceMetrics": []}, {"resourceSpans": "x"}])
def test_other_objects_are_no_export_request(line: dict[str, Any]) -> None:
    assert otlp.decode(line) is None


def test_a_span_that_is_its_own_parent_ends() -> None:
    span = {"spanId": "aa", "parentSpanId": "aa", "name": "llm_request"}
    metrics = '{"type":"llm_metrics","timestamp":1795332033.0,"duration":0.5,"ttft":0.2}'
    span["attributes"] = [{"key": "lk.llm_metrics", "value": {"stringValue": metrics}}]
    (found,) = otlp.decode({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) or []
    assert found.record.speech_id is None


@pytest.mark.parametrize("time", [True, "soon", [1], {"s": 1}])
def test_a_time_that_is_none_is_a_bad_value(time: object) -> None:
    span = {"name": "user_turn", "endTimeUnixNano": time}
    with pytest.raises(BadValueError, match="endTimeUnixNano"):
        otlp.decode({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
