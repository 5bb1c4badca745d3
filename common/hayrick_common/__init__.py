"""What both ends of the wire must agree on: chunks, messages, configuration, errors."""

__version__ = "0.1.0"
