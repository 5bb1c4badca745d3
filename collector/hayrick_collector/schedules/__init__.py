"""Queries asked again and again of what is new since the last time, which tag it, tell of it, or export it."""
