"""A time line has one state for every instant, the worst that any layer tells, and loses no reason and no count."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hayrick_collector.coverage.timeline import COMPLETE, STATES, Layer, bucketed, timeline

ORDER = list(STATES)
TIMES = st.integers(0, 40)
LAYERS = st.lists(
    st.builds(
        lambda start, length, state, chunks: Layer(start, start + length, state, f"why {state} {chunks}", chunks),
        TIMES,
        st.integers(0, 20),
        st.sampled_from(ORDER),
        st.integers(0, 3),
    ),
    max_size=15,
)


def worst_at(layers: list[Layer], time: int) -> str:
    states = [each.state for each in layers if each.start_ms <= time < each.stop_ms]
    return min([*states, "unknown"], key=ORDER.index)


@given(LAYERS, TIMES, st.integers(1, 30))
def test_every_instant_has_the_worst_state_that_is_told_of_it(layers: list[Layer], start: int, length: int) -> None:
    spans = timeline(layers, start, start + length)
    told = [span.state for span in spans for _ in range(span.start_ms, span.stop_ms)]
    assert told == [worst_at(layers, time) for time in range(start, start + length)]


@given(LAYERS, TIMES, st.integers(1, 30))
def test_spans_follow_each_other_without_hole_and_neighbours_differ(
    layers: list[Layer], start: int, length: int
) -> None:
    spans = timeline(layers, start, start + length)
    assert (spans[0].start_ms, spans[-1].stop_ms) == (start, start + length)
    for before, after in pairwise(spans):
        assert before.stop_ms == after.start_ms
        assert before.state != after.state
    assert all(span.start_ms < span.stop_ms for span in spans)


@given(LAYERS, TIMES, st.integers(1, 30))
def test_each_layer_that_shows_gives_its_reason_and_is_counted_once(
    layers: list[Layer], start: int, length: int
) -> None:
    spans = timeline(layers, start, start + length)
    shown = [
        each
        for each in layers
        if any(
            span.state == each.state and max(span.start_ms, each.start_ms) < min(span.stop_ms, each.stop_ms)
            for span in spans
        )
    ]
    assert sum(span.chunks for span in spans) == sum(each.chunks for each in shown)
    assert {reason for span in spans for reason in span.reasons} == {each.reason for each in shown}


@given(LAYERS, TIMES, st.integers(1, 30), st.sampled_from([state for state in STATES if state not in COMPLETE]))
def test_telling_of_a_loss_never_makes_a_time_complete(layers: list[Layer], start: int, length: int, loss: str) -> None:
    def complete(told: list[Layer]) -> int:
        spans = timeline(told, start, start + length)
        return sum(span.stop_ms - span.start_ms for span in spans if span.state in COMPLETE)

    assert complete([*layers, Layer(start, start + length // 2, loss)]) <= complete(layers)


@given(LAYERS, TIMES, st.integers(1, 30), st.integers(1, 12))
def test_buckets_are_few_and_hide_no_state_that_is_worse(
    layers: list[Layer], start: int, length: int, most: int
) -> None:
    spans = timeline(layers, start, start + length)
    few = bucketed(spans, most)
    assert len(few) <= most
    assert (few[0].start_ms, few[-1].stop_ms) == (start, start + length)
    for span in spans:
        over = [each for each in few if max(each.start_ms, span.start_ms) < min(each.stop_ms, span.stop_ms)]
        assert all(ORDER.index(each.state) <= ORDER.index(span.state) for each in over)
