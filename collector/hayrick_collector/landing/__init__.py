"""Taking chunks in: from sensors over ZeroMQ, and from anyone through the inbox folder."""

from hayrick_collector.landing.inbox import Inbox
from hayrick_collector.landing.server import Landing, LandingSettings
from hayrick_collector.landing.sink import Known, LandedSink

__all__ = ["Inbox", "Known", "LandedSink", "Landing", "LandingSettings"]
