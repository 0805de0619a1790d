"""The README is true: its commands run, its output is ours, its tables come from the catalogue."""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from golden import UPDATING
from livekit.agents import MetricsCollectedEvent, metrics
from livekit.agents.cli.log import JsonFormatter
from livekit.rtc.event_emitter import EventEmitter

import turnlat as package
from turnlat import hook
from turnlat.errors import ExitCode
from turnlat.metrics import COMPONENTS, METRICS
from turnlat.turns.ledger import OUTCOMES

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ (.*)\n((?:.*\n)*?)```", TEXT)
SHELL = re.findall(r"```sh\n((?:.*\n)*?)```", TEXT)
PYTHON = re.findall(r"```python\n((?:.*\n)*?)```", TEXT)
EOU = metrics.EOUMetrics(
    timestamp=1.8e9, end_of_utterance_delay=0.5, transcription_delay=0.2,
    on_user_turn_completed_delay=0.0, speech_id="speech_1",
)  # fmt: skip


def rewrite(old: str, new: str) -> None:
    if UPDATING:
        README.write_text(README.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(("command", "shown"), CONSOLE, ids=[command for command, _ in CONSOLE])
def test_a_command_prints_what_the_readme_shows(
    turnlat: Callable, command: str, shown: str
) -> None:
    program, *arguments = shlex.split(command)
    assert program == "turnlat"
    done = turnlat(*arguments, cwd=ROOT, COLUMNS="100")
    assert (done.exit, done.stderr) == (0, "")
    rewrite(f"$ {command}\n{shown}```", f"$ {command}\n{done.stdout}```")
    assert UPDATING or done.stdout == shown


def metrics_table() -> str:
    rows = ["| metric | is |", "|---|---|"]
    component = {metric.name for metric in COMPONENTS}
    rows += [
        f"| {'&nbsp;&nbsp;' if m.name in component else ''}`{m.name}` | {m.meaning} |"
        for m in METRICS.values()
    ]
    return "\n".join(rows)


def test_the_metric_table_is_the_catalogues() -> None:
    found = re.search(r"<!-- metrics -->\n((?:.*\n)*?)<!-- /metrics -->", TEXT)
    assert found
    rewrite(found[0], f"<!-- metrics -->\n{metrics_table()}\n<!-- /metrics -->")
    assert UPDATING or found[1].strip() == metrics_table()


def test_every_exit_code_and_outcome_is_explained() -> None:
    for code in ExitCode:
        assert f"| {int(code)} | " in TEXT
    for outcome in OUTCOMES:
        assert f"| `{outcome}` | " in TEXT


def test_every_sample_log_is_described() -> None:
    for log in (ROOT / "sample_logs").iterdir():
        assert f"- `sample_logs/{log.name}`: " in TEXT


def test_the_python_example_runs(tmp_path: Path) -> None:
    example = next(block for block in PYTHON if "turnlat.load" in block)
    shutil.copytree(ROOT / "sample_logs", tmp_path / "sample_logs")
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
    assert (tmp_path / "run.parquet").exists()


@pytest.mark.parametrize("mark", ['"agent.jsonl"', "logger=", "model_dump()"])
def test_the_examples_of_recording_write_a_log_that_analyze_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    example = next(block for block in PYTHON if mark in block)
    session: EventEmitter[str] = EventEmitter()
    monkeypatch.chdir(tmp_path)
    handler = logging.FileHandler("agent.jsonl")
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("turnlat")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        scope = {"AgentSession": lambda _: session, "session": session, "record": hook.record}
        scope |= {"logging": logging, "logger": logger}
        scope["MetricsCollectedEvent"] = MetricsCollectedEvent
        exec(example, scope)  # noqa: S102
        session.emit("metrics_collected", MetricsCollectedEvent(metrics=EOU))
        hook._close_all()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()
    run = package.load(tmp_path / "agent.jsonl")
    assert run.ledger.outcomes["unmeasured"] == 1
    assert run.turns["speech_id"].to_list() == ["speech_1"]


def test_the_shell_blocks_run_in_a_fresh_environment(tmp_path: Path) -> None:
    """All of them in their order, but for the one that runs these tests."""
    checkout = tmp_path / "turnlat"
    ignored = shutil.ignore_patterns(".git", ".*_cache", ".hypothesis", "__pycache__", ".venv")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    venv.create(tmp_path / "venv", with_pip=True)
    bin_folder = tmp_path / "venv" / "bin"
    environment = os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    blocks = [block for block in SHELL if "pytest" not in block]
    assert len(blocks) == len(SHELL) - 1
    script = "set -e\n" + "\n".join(blocks)
    subprocess.run(["bash", "-c", script], cwd=checkout, env=environment, check=True)
    assert (checkout / "turns.csv").exists()


def test_ci_runs_the_readmes_test_command() -> None:
    [block] = [block for block in SHELL if "pytest" in block]
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for line in block.splitlines():
        assert line in ci
