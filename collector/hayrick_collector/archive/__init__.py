"""Stored packets: where a chunk's file lies, and how its packets are read back and exported."""
