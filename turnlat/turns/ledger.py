"""The ledger: where every line, every record and every speech ended up. It always adds up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

OUTCOMES = ("replied", "silent", "unmeasured", "initiated", "discarded", "realtime")
"""What became of a turn or a speech; the first three are user turns."""

USER_TURNS = OUTCOMES[:3]


@dataclass(frozen=True)
class Ledger:
    """Counts of lines, records and outcomes. `ledger["metric"]` works too, with the flat keys."""

    lines: int
    """All lines: `metric + other + blank + bad + joined`."""
    metric: int
    other: int
    blank: int
    bad: int
    joined: int
    records: int
    """All records: `in_turns + in_sessions + unattributed + duplicates`."""
    in_turns: int
    in_sessions: int
    unattributed: int
    duplicates: int
    outcomes: dict[str, int] = field(default_factory=dict)
    """Turns and speeches of each outcome."""

    def flat(self) -> dict[str, int]:
        """All counts under one another, the outcomes last."""
        counts = asdict(self)
        outcomes: dict[str, int] = counts.pop("outcomes")
        return counts | outcomes

    def __add__(self, other: Ledger) -> Ledger:
        """The ledger of both together, which have no line and no record in common."""
        counts = other.flat()
        return Ledger.from_flat({name: n + counts[name] for name, n in self.flat().items()})

    def __getitem__(self, key: str) -> int:
        return self.flat()[key]

    @classmethod
    def from_flat(cls, counts: dict[str, int]) -> Ledger:
        """The ledger that `flat` wrote."""
        outcomes = {name: counts[name] for name in OUTCOMES}
        return cls(
            outcomes=outcomes,
            **{name: number for name, number in counts.items() if name not in outcomes},
        )
