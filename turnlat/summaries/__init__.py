"""What the tables of a run say in numbers: latency statistics, transcriptions, usage."""
