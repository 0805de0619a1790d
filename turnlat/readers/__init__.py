"""Readers: lines become records. `formats` holds the registry, `lines` reads a file's lines."""

from __future__ import annotations

from turnlat.readers.envelopes import ENVELOPES
from turnlat.readers.formats import FORMATS, TEXT_FORMATS, Format
from turnlat.readers.lines import LineReader, Options

__all__ = ["ENVELOPES", "FORMATS", "TEXT_FORMATS", "Format", "LineReader", "Options"]
