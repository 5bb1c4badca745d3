"""Text from packets for a terminal: whatever could steer the terminal, or the eye, is shown as an escape."""

from __future__ import annotations

import unicodedata
from typing import Any

from hayrick_collector.dataout.columns import guarded
from hayrick_collector.store.documents import values
from hayrick_collector.timespan import format_time

cell = guarded  # of a table that a spreadsheet may open
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def safe(text: str) -> str:
    """The text with control, format, bidirectional and unassigned characters written as \\xNN or \\uNNNN."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(letter) if _dangerous(letter) else letter for letter in text)


def shown(value: Any) -> str:
    """A field's value in a cell: lists joined by commas; dates are the caller's to format."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe(str(value))


def field_value(document: dict[str, Any], name: str) -> Any:
    """A field by its document name (`source.ip`), in nested or flat documents and through lists of objects, whose
    values come as one list; None when absent."""
    found = values(document, name)
    if not found:
        return None
    return found if len(found) > 1 else found[0]


def shown_field(document: dict[str, Any], name: str) -> str:
    """A field's value as text; firstPacket, lastPacket and other dates in UTC."""
    value = field_value(document, name)
    if name in ("firstPacket", "lastPacket") and isinstance(value, int | float):
        return format_time(value)
    return shown(value)


def size(number: float | None) -> str:
    """A number of bytes for people: `1.2 GB`."""
    amount = float(number or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(amount) < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _dangerous(letter: str) -> bool:
    return letter in _BIDI or unicodedata.category(letter) in _HIDDEN


def _escape(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
