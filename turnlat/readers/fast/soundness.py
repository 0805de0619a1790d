"""Soundness: what msgspec does not look at in the fields that it skips.

Each check lets pass only what surely is sound; of the rest the plain path is the judge.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEWLINE, _OPENING, _CLOSING = b"\n{}"
_DIGIT_AND_E = 0x4530
_DIGIT_AND_E_BITS = 0xDFF0
"""Two bytes that may be a digit and an `e` or `E`, the low byte first."""
_EIGHT_DIGITS = 0x3030303030303030
_DIGIT_BITS = 0xF0F0F0F0F0F0F0F0
_APART = 8
"""Every eighth word of eight bytes is looked at: 200 digits in a row fill three of those."""
_LONG_LINE = 2000
_MANY_BRACKETS = 1000
"""Values can be nested in one another 1024 deep, and no deeper; that takes 2000 bytes."""

_MANTISSA = 40
"""A number with more digits counts as huge where it has an exponent."""


def _table(characters: bytes) -> NDArray[np.bool_]:
    """For each byte whether it is one of `characters`."""
    table = np.zeros(256, np.bool_)
    table[list(characters)] = True
    return table


_DIGITS, _SPACES = b"0123456789", b" \t\n\v\f\r"
_IS_DIGIT = _table(_DIGITS)
_BEFORE_NUMBER = _SPACES + b":,["
_BEFORE_DIGIT = _table(_DIGITS + b".-" + _BEFORE_NUMBER)
_AFTER_DIGIT = _table(_DIGITS + _SPACES + b",]}")
"""What may stand beside a digit of a number; ids have letters and quotes there too."""
_SHORTEST_EXPONENT = 4
"""`e`, three digits."""


def is_sound(data: bytes) -> bool:
    """Whether `data` is UTF-8, without numbers that no float holds and without very deep values."""
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
    return not _may_have_huge_number(data)


def is_shallow(data: bytes) -> bool:
    """Whether the values of one or more lines are surely not nested too deeply."""
    return len(data) < _LONG_LINE or data.count(b"[") + data.count(b"{") < _MANY_BRACKETS


def is_one_object_a_line(data: bytes, found: int) -> bool:
    """Whether each line of `data`, which ends with one, is one of the `found` objects.

    Objects may share a line or span several, so all newlines have to stand between two of them.
    """
    content = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(content == _NEWLINE)
    if len(at) != found:
        return False
    ends = at[:-1]
    if (content[at - 1] != _CLOSING).any() or (content[ends + 1] != _OPENING).any():
        return False
    longest = max(at[0], (at[1:] - ends).max(initial=0))
    return bool(longest < _LONG_LINE) or all(map(is_shallow, data.split(b"\n")))


def _may_have_huge_number(data: bytes) -> bool:
    """Whether there may be a number of 200 digits, or one of 1e100 and more."""
    words = np.frombuffer(data, np.uint64, len(data) // 8)[::_APART]
    digits = (words & _DIGIT_BITS) == _EIGHT_DIGITS
    full = np.flatnonzero(digits[2:] & digits[1:-1] & digits[:-2]) * 8 * _APART
    if any(data[start : start + 8 * (2 * _APART + 1)].isdigit() for start in full.tolist()):
        return True
    return any(_ends_number(data[max(0, end - _MANTISSA) : end]) for end in _powers(data))


def _ends_number(head: bytes) -> bool:
    """Whether what ends with an `e` may be a number up to its exponent, and not part of an id."""
    before = head.rstrip(b"eE+").rstrip(_DIGITS + b".").removesuffix(b"-")
    return not before or before[-1] in _BEFORE_NUMBER


def _powers(data: bytes) -> list[int]:
    """Where three digits follow an `e` after a digit: an exponent, or a part of some id."""
    content = np.frombuffer(data, np.uint8)
    at = np.concatenate([_after_digit(data, start) for start in (0, 1)])
    at = at[(at > 1) & (at < len(data) - _SHORTEST_EXPONENT)]
    at = at[_BEFORE_DIGIT[content[at - 2]]]
    power = at + 1 + (content[at + 1] == ord("+"))
    power = power[_IS_DIGIT[content[power]]]
    power = power[_IS_DIGIT[content[power + 1]] & _IS_DIGIT[content[power + 2]]]
    power = power[_AFTER_DIGIT[content[np.minimum(power + 3, len(data) - 1)]]]
    places: list[int] = power.tolist()
    return places


def _after_digit(data: bytes, start: int) -> NDArray[np.int64]:
    """Where an `e` may stand after a digit, of the digits at each second byte from `start`."""
    pairs = np.frombuffer(data, "<u2", (len(data) - start) // 2, start)
    return np.flatnonzero((pairs & _DIGIT_AND_E_BITS) == _DIGIT_AND_E) * 2 + start + 1
