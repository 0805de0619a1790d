"""Reading: from sources to records, large ones with several processes.

Nothing here loads polars: the processes start, and have read a part, before it is needed.
"""

from __future__ import annotations

from turnlat.reading.readers import Readers

__all__ = ["Readers"]
