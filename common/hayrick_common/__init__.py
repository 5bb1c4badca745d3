"""What every part of Hayrick must agree on: names, files, messages, settings, errors."""

__version__ = "0.1.0"
