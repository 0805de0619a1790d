"""`watch` in a real terminal: tmux runs it, and what it shows is captured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from logs import eou, llm, tts
from rich.cells import cell_len

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

WRITER = Path(__file__).parent / "support" / "hook_writer.py"
BROKEN, KEPT = "e2e_latency.p95 < 0.3s", "silent.share < 50%"
RED = "\x1b[1m\x1b[31m"


@dataclass
class Terminal:
    """A terminal of a given size, in a tmux server of its own."""

    socket: Path
    columns: int
    lines: int

    def tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, "-f", "/dev/null", *args],
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    def start(self, folder: Path, command: str) -> None:
        size = ["-x", str(self.columns), "-y", str(self.lines)]
        shell = f"export PYTHONUTF8=1; cd {folder} && {command}; echo exit code $?; sleep 60"
        self.tmux("new-session", "-d", *size, shell, ";", "set", "-g", "status", "off")

    def shown(self, *args: str) -> list[str]:
        return self.tmux("capture-pane", "-p", *args).splitlines()

    def wait_for(self, pattern: str, seconds: float = 20.0) -> list[str]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self.shown()
            if any(re.search(pattern, line) for line in shown):
                return shown
            time.sleep(0.1)
        raise AssertionError("\n".join(self.shown()))


@pytest.fixture(params=[(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    # A socket's path must be short.
    socket = Path("/tmp") / f"turnlat-{tmp_path.parent.name[-4:]}-{time.time_ns() % 10**6}"  # noqa: S108
    terminal = Terminal(socket, *request.param)
    yield terminal
    subprocess.run(["tmux", "-S", socket, "kill-server"], check=False, capture_output=True)
    socket.unlink(missing_ok=True)


def test_watch_in_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    command = f"{sys.executable} -m turnlat watch agent.jsonl"
    terminal.start(tmp_path, f"{command} --limit '{BROKEN}' --limit '{KEPT}'")
    terminal.wait_for("waiting for the file")
    subprocess.run([sys.executable, WRITER, "agent.jsonl", "12", "0.6"], cwd=tmp_path, check=True)
    shown = terminal.wait_for("last 15m: 12 user turns in 3 sessions")
    assert max(map(cell_len, shown)) <= terminal.columns
    assert not any(line.startswith("██") for line in shown)  # a wrapped bar
    turns = [line for line in shown if re.match(r"\d\d:\d\d:\d\d  AJ_", line)]
    room = 8 if terminal.lines == 24 else 12
    assert len(turns) == min(12, room)
    assert all("█" in line for line in turns)
    [wait] = [line for line in shown if line.startswith("e2e_latency ")]
    assert re.search(r" 12  [▁▂▃▄▅▆▇█]{12}$", wait)
    coloured = terminal.shown("-e")
    [broken] = [line for line in coloured if BROKEN in line]
    [kept] = [line for line in coloured if KEPT in line]
    assert broken.startswith(RED)
    assert "31m" not in kept
    terminal.tmux("send-keys", "C-c")
    ended = terminal.wait_for("exit code 130")
    assert any(line.startswith("turns: 12 replied") for line in ended) or terminal.lines == 24


def test_show_in_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    records = [eou("a", 0.0), llm("a", 0.0), tts("a", 0.5)]
    log = tmp_path / "agent.jsonl"
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    terminal.start(tmp_path, f"{sys.executable} -m turnlat show agent.jsonl")
    shown = terminal.wait_for("exit code 0")
    [track] = [line for line in shown if "▒█" in line]
    assert "█▓" in track
    assert sum(line.lstrip().startswith("agent.jsonl:") for line in shown) == 3
    assert max(map(cell_len, shown)) <= terminal.columns


def test_a_plain_terminal_gets_ascii_without_colour(terminal: Terminal, tmp_path: Path) -> None:
    log = tmp_path / "agent.jsonl"
    records = [eou("a", 0.0), llm("a", 0.0), tts("a", 0.5), eou("b", 9.0)]
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    command = f"{sys.executable} -m turnlat watch agent.jsonl --limit '{BROKEN}'"
    terminal.start(tmp_path, f"PYTHONUTF8=0 PYTHONIOENCODING=ascii NO_COLOR=1 {command}")
    shown = terminal.wait_for("2 user turns in 1 session, 1 limit broken")
    assert all(line.isascii() for line in shown)
    assert any("LLLL" in line for line in shown)
    assert not re.search(r"\x1b\[[\d;]*[349][0-7]m", "".join(terminal.shown("-e")))
