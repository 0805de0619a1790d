"""A process that writes a hook log turn by turn, as an agent does, and rotates or truncates it.

`python hook_writer.py LOG TURNS [PACE]`: every record's `timestamp` is the time it was written at.
The log is renamed after a third of the turns and truncated after two thirds; all that was ever
written also goes to `LOG.all`, which no watcher reads.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from logs import eou, llm, tts


class Writer:
    """One log that is written as its records come."""

    def __init__(self, log: Path) -> None:
        self.log, self.all = log, log.with_suffix(".all")
        self.file = log.open("ab", buffering=0)
        self.lines: list[bytes] = []

    def write(self, record: dict, session: str) -> None:
        now = time.time()
        line = json.dumps(record | {"timestamp": now, "session": session}).encode() + b"\n"
        # A line can be read before it is whole.
        self.file.write(line[:40])
        time.sleep(0.002)
        self.file.write(line[40:])
        with self.all.open("ab") as everything:
            everything.write(line)

    def rotate(self) -> None:
        self.log.rename(self.log.with_suffix(".jsonl.1"))
        time.sleep(0.05)
        self.file.close()
        self.file = self.log.open("ab", buffering=0)

    def truncate(self) -> None:
        os.truncate(self.log, 0)


def turn(number: int, delay: float = 0.5) -> list[dict]:
    """EOU, LLM and TTS of one turn; their own times are given when they are written."""
    speech = f"speech_{number}"
    records = [
        eou(speech, 0, delay),
        llm(speech, 0, ttft=0.03, length=0.05),
        tts(speech, 0, ttfb=0.02, length=0.03),
    ]
    ids = {"request_id": f"request_{number}"}
    return [record | (ids if "request_id" in record else {}) for record in records]


def main() -> None:
    log, turns = Path(sys.argv[1]), int(sys.argv[2])
    pace = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    writer = Writer(log)
    for number in range(turns):
        for record in turn(number, delay=0.21 + 0.1 * (number % 5)):
            time.sleep(0.06 * pace)
            writer.write(record, session=f"AJ_{number % 3}")
        time.sleep(0.5 * pace)
        if number == turns // 3:
            writer.rotate()
        if number == 2 * turns // 3:
            # What was written must have been read: nobody can follow faster than it is taken away.
            time.sleep(0.3)
            writer.truncate()


if __name__ == "__main__":
    main()
