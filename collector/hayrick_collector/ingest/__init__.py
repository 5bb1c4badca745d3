"""Landed chunks into the store: imports, the queue, and the worker processes that decode."""
