"""Captures to sessions: the Rust decoder as Python sees it."""

from hayrick_decode._native import (
    Batch,
    Decoding,
    Enrichment,
    Streams,
    Table,
    decode,
    fields,
    opened,
    read_packets,
    read_records,
    write_records,
)

__all__ = [
    "Batch",
    "Decoding",
    "Enrichment",
    "Streams",
    "Table",
    "decode",
    "fields",
    "opened",
    "read_packets",
    "read_records",
    "write_records",
]
