"""Packets that stayed on a sensor: asked for when somebody wants them, and kept for a while."""

from hayrick_collector.ondemand.fetch import Fetcher, Pull, Wanted

__all__ = ["Fetcher", "Pull", "Wanted"]
