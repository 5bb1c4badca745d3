"""Packets that stayed on a sensor: asked for when somebody wants them, and kept for a while."""

from hayrick_collector.ondemand.elsewhere import Pull
from hayrick_collector.ondemand.fetch import Fetcher, Wanted

__all__ = ["Fetcher", "Pull", "Wanted"]
