"""`turnlat hook`: the recording module, for an agent that cannot install turnlat."""

from __future__ import annotations

from importlib import resources

from turnlat.commands import console


def hook() -> None:
    """Print the module that records a session: `turnlat hook > turnlat_hook.py`."""
    console.write(resources.files("turnlat").joinpath("hook.py").read_bytes())
