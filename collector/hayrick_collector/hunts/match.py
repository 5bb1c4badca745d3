"""Patterns over bytes. Each is linear in what it searches, whatever a user writes, or has a clock (YARA).

A matcher is asked for the labels that some bytes earn: the names of the rules for YARA, one that is no rule's name for
text, hex and regexes. Nothing here is done inside the collector itself: `worker.py` is a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import re2

from hayrick_collector.hunts.spec import Spec
from hayrick_common.errors import UsageError

FOUND = ("",)
REGEX_MEMORY = 16 << 20  # bytes RE2 may take for one pattern and its states
YARA_SECONDS = 10.0  # for one session's side
Matcher: TypeAlias = Callable[[bytes], tuple[str, ...]]


def matcher(spec: Spec) -> Matcher:
    """The matcher of a pattern. Raises UsageError for one that does not compile, with what is wrong and where."""
    if spec.kind == "yara":
        return yara_matcher(yara_rules(spec.pattern))
    if spec.kind == "regex":
        return _regex(spec.pattern.encode(), case=spec.case)
    wanted = spec.wanted()
    if spec.kind == "hex" or spec.case:
        return lambda data: FOUND if wanted in data else ()
    return _regex(_any_case(spec.pattern), case=True)


def yara_rules(source: str) -> Any:
    """Compiled rules. Raises UsageError with the place of the first error."""
    import yara_x

    compiler = yara_x.Compiler()
    compiler.enable_includes(False)  # rules must not name files of this machine
    try:
        compiler.add_source(source)
    except yara_x.CompileError:
        error = compiler.errors()[0]
        where = f"line {error['line']}, column {error['column']}: " if error.get("line") else ""
        raise UsageError(f"{where}{error['title']}") from None
    rules = compiler.build()
    if not list(rules):
        raise UsageError("there is no rule in it")
    return rules


def yara_matcher(rules: Any, seconds: float = YARA_SECONDS) -> Matcher:
    """Names of the rules that match. Raises TimeoutError when that takes too long."""
    import yara_x

    scanner = yara_x.Scanner(rules)
    scanner.set_timeout(max(1, round(seconds)))

    def match(data: bytes) -> tuple[str, ...]:
        try:
            return tuple(rule.identifier for rule in scanner.scan(data).matching_rules)
        except yara_x.TimeoutError:
            raise TimeoutError(f"the rules took longer than {seconds:g} seconds") from None

    return match


def _regex(pattern: bytes, *, case: bool) -> Matcher:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = case
    options.log_errors = False
    options.max_mem = REGEX_MEMORY
    options.never_capture = True
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        reason = error.args[0]
        raise UsageError(
            f"the regex: {reason.decode(errors='replace') if isinstance(reason, bytes) else reason}"
        ) from None
    return lambda data: FOUND if search(data) is not None else ()


def _any_case(text: str) -> bytes:
    """A regex for the text in capitals and small letters, in UTF-8."""
    pieces = []
    for char in text:
        forms = dict.fromkeys(re2.escape(form.encode()) for form in (char, char.lower(), char.upper()))
        pieces.append(b"(?:" + b"|".join(forms) + b")")
    return b"".join(pieces)
