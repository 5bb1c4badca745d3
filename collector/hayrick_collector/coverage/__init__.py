"""Completeness: which times of a stream are captured, dropped, shipped, landed, searchable, missing."""
