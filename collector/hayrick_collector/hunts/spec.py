"""What a hunt looks for, and whether that can be looked for at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from hayrick_common.errors import UsageError

Kind = Literal["text", "hex", "regex", "bpf", "yara"]
Side = Literal["both", "client", "server"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SIDES: tuple[Side, ...] = get_args(Side)
MOST_PATTERN = 4_096  # bytes of a text, regex or filter
MOST_RULES = 4 << 20  # bytes of YARA rules
NAME = re.compile(r"[\w.@+-]{1,64}")
_HEX = re.compile(r"(0x|\\x)|[\s:,-]+")


@dataclass(frozen=True, slots=True)
class Spec:
    """`pattern` by kind: text; hex digits; a regex (RE2, over bytes); a capture filter; the source of YARA rules.

    `case`: text and regexes tell capitals apart. `raw`: each packet by itself with all its headers, instead of each
    side's bytes in order. `side`: whose bytes. A filter sees packets, so it is always raw.
    """

    kind: Kind
    pattern: str
    case: bool = False
    raw: bool = False
    side: Side = "both"

    def __post_init__(self) -> None:
        """Raises UsageError for what cannot be a pattern; filters and rules are compiled elsewhere."""
        if self.kind not in KINDS or self.side not in SIDES:
            raise UsageError(f"a hunt's kind is one of {', '.join(KINDS)}, its side one of {', '.join(SIDES)}")
        if not self.pattern.strip():
            raise UsageError("an empty pattern would find everything")
        most = MOST_RULES if self.kind == "yara" else MOST_PATTERN
        if len(self.pattern.encode()) > most:
            raise UsageError(f"the pattern is longer than {most} bytes")
        if self.kind == "hex":
            self.wanted()

    @property
    def whole_packets(self) -> bool:
        """Whether packets are looked at one by one."""
        return self.raw or self.kind == "bpf"

    def wanted(self) -> bytes:
        """The bytes of a text or of hex digits, which may have blanks, colons or 0x between them."""
        if self.kind != "hex":
            return self.pattern.encode()
        digits = _HEX.sub("", self.pattern)
        try:
            return bytes.fromhex(digits)
        except ValueError:
            raise UsageError(
                f"{self.pattern[:100]!r} are no hex bytes: write pairs of digits, such as de ad be ef"
            ) from None


def check_name(name: str) -> str:
    """The name, which becomes part of a tag. Raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(f"name {name[:64]!r}: up to 64 letters, digits and _ - . @ +, no spaces")
    return name
