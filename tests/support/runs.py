"""Made-up runs to compare: sessions that replay the same scripts, with some part made slower."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from logs import eou, llm, tts, write_log

import turnlat


@dataclass(frozen=True)
class Made:
    """What a run shall hold. Rooms tell scripts apart; the seed is what differs between runs."""

    seed: int
    sessions: int = 12
    turns: int = 8
    llm: float = 1.0
    """What every LLM call takes longer."""
    all_longer: float = 1.0
    silent: int = 0
    """Sessions, the first ones, whose last turn gets no answer."""
    model: str = "gpt-4o-mini"
    rooms: bool = True
    tts: bool = True

    def write(self, path: Path) -> Path:
        """The hook log."""
        records = [record for number in range(self.sessions) for record in self._session(number)]
        return write_log(path, records)

    def load(self, folder: Path) -> turnlat.Run:
        return turnlat.load(self.write(folder / f"run{hash(self) & 0xFFFFFF}.jsonl"))

    def _session(self, number: int) -> list[dict]:
        dice = random.Random(f"{self.seed} {number}")
        pace = random.Random(f"script {number}").lognormvariate(0, 0.2)
        place = {"job_id": f"AJ_{self.seed}_{number}", "room": f"room-{number}"}
        found = []
        for turn in range(self.turns):
            script = random.Random(f"script {number} {turn}").lognormvariate(0, 0.2)
            slow = pace * script * self.all_longer

            def took(typical: float, slow: float = slow) -> float:
                return round(typical * slow * dice.lognormvariate(0, 0.1), 6)

            silent = number < self.silent and turn == self.turns - 1
            parts = (took(0.5), took(0.4) * self.llm, took(0.2))
            at = 1000 * number + 20 * turn
            found += self._turn(f"s{self.seed}_{number}_{turn}", at, parts, silent=silent)
        return [record | place for record in found] if self.rooms else found

    def _turn(
        self, speech: str, at: float, parts: tuple[float, float, float], *, silent: bool
    ) -> list[dict]:
        delay, ttft, ttfb = parts
        model = {"metadata": {"model_name": self.model, "model_provider": "openai"}}
        heard = [tts(speech, at + ttft, ttfb, 1.0)] if self.tts and not silent else []
        return [eou(speech, at, delay), llm(speech, at, ttft, ttft + 0.3, **model), *heard]
