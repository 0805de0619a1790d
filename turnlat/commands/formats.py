"""`turnlat formats`: the shapes of lines that are recognised, with an example each."""

from __future__ import annotations

from turnlat.commands import console


def formats() -> None:
    """List the shapes of lines that turnlat recognises, with an example each."""
    from turnlat.readers import ENVELOPES, FORMATS, TEXT_FORMATS  # noqa: PLC0415  # not for --help

    shapes = [(format_.name, format_.about, format_.example) for format_ in FORMATS]
    lines = ["A line is read as the first of these that knows it; a log may mix them.", ""]
    for name, about, example in (*shapes, *TEXT_FORMATS):
        lines += [f"{name}: {about}", f"  {example}", ""]
    lines += ["Around each line there may be:", ""]
    lines += [f"{name}: {about}" for name, about in ENVELOPES.items()]
    console.write(("\n".join(lines) + "\n").encode())
