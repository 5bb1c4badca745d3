"""What a sensor is asked for at once passes its line within seconds, however much the core wants of it."""

from __future__ import annotations

import pytest

from hayrick_collector.landing import events as ev
from hayrick_collector.landing.pulls import Pulls, Ranges, portioned
from hayrick_common import wire

KEY = "s1.lan.0000000001.0123456789abcdef"
ROUTE = b"route"
CHUNK = bytes(range(251)) * 8_000
RANGES: Ranges = ((0, 100), (5_000, 524_288), (900_000, 2), (1_000_000, 500_000))


class Line:
    """Answers one pull after the other, each taking as long as the line does."""

    def __init__(self, bytes_per_second: int) -> None:
        self.rate, self.now, self.sizes = bytes_per_second, 0, list[int]()
        self.pulls = Pulls()

    def all_of(self, *questions: Ranges) -> dict[int, ev.Answered]:
        """Ask everything at once and go on until all is answered; question number -> answer."""
        under_way: list[ev.Command] = []
        for number, ranges in enumerate(questions):
            under_way += self.pulls.ask(ev.Wanted(number, "s1", KEY, ranges), ROUTE, 2, self.now)
        answers: dict[int, ev.Answered] = {}
        while under_way:
            command = under_way.pop(0)
            if isinstance(command, ev.Answered):
                answers[command.token] = command
            elif isinstance(command, ev.Send):
                under_way += self.passes(command.message)
        return answers

    def passes(self, pull: wire.Message) -> list[ev.Command]:
        assert isinstance(pull, wire.Pull)
        self.sizes.append(pull.size)
        for _ in range(pull.size * 1000 // self.rate // 1000 + 1):
            self.now += 1000
            failed = [each for each in self.pulls.tick(self.now) if isinstance(each, ev.Answered)]
            assert not failed, "it was given up while it was on its way"
        body = content(pull.ranges)
        return self.pulls.answer(ROUTE, wire.Pulled(pull.request, pull.key, wire.RAW, "", body), self.now)


def content(ranges: Ranges) -> bytes:
    """Of the chunk, the bytes that are asked for."""
    return b"".join(CHUNK[offset : offset + length] for offset, length in ranges)


def test_on_a_slow_line_each_answer_comes_within_seconds_and_all_come() -> None:
    line = Line(8_000)
    answers = line.all_of(RANGES[:2], RANGES[2:], RANGES[:1], RANGES[2:3])
    expected = [RANGES[:2], RANGES[2:], RANGES[:1], RANGES[2:3]]
    assert [answers[each].data for each in range(4)] == [content(each) for each in expected]
    assert max(line.sizes) == line.pulls.least_bytes


def test_on_a_fast_line_more_and_more_is_asked_for_at_once() -> None:
    line = Line(10**9)
    assert line.all_of(RANGES)[0].data == content(RANGES)
    assert max(line.sizes) > 8 * line.pulls.least_bytes
    assert sum(line.sizes) == sum(length for _, length in RANGES)


def test_a_line_that_became_slow_is_asked_for_less_the_next_time() -> None:
    line = Line(10**9)
    for _ in range(4):
        line.all_of(RANGES)
    before, pulls = line.sizes[-2], line.pulls
    pulls.ask(ev.Wanted(9, "s1", KEY, RANGES), ROUTE, 2, line.now)
    assert [each.data for each in pulls.tick(line.now + pulls.patience_ms) if isinstance(each, ev.Answered)] == [None]
    (sent,) = pulls.ask(ev.Wanted(10, "s1", KEY, RANGES), ROUTE, 2, line.now)
    assert isinstance(sent, ev.Send)
    assert isinstance(sent.message, wire.Pull)
    assert sent.message.size < before


@pytest.mark.parametrize("size", [1, 99, 100, 101, 524_388, 524_391, 10**7])
def test_portions_have_each_byte_once(size: int) -> None:
    left, portions = RANGES, list[Ranges]()
    while left and len(portions) < 100:
        portion, left = portioned(left, size)
        portions.append(portion)
        assert 0 < sum(length for _, length in portion) <= size
        assert all(length for _, length in portion)
    found = b"".join(map(content, portions))
    assert found == content(RANGES)[: len(found)]
    assert left or len(found) == sum(length for _, length in RANGES)
