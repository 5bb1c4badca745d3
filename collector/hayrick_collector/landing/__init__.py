"""Taking chunks in: from sensors over ZeroMQ or SFTP, and from anyone through the inbox folder."""

from hayrick_collector.landing.drop import Drop
from hayrick_collector.landing.inbox import Inbox
from hayrick_collector.landing.server import Landing, LandingSettings
from hayrick_collector.landing.sink import Known, LandedSink

__all__ = ["Drop", "Inbox", "Known", "LandedSink", "Landing", "LandingSettings"]
