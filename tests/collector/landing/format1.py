"""What a sensor wrote into its drop folder before deliveries were compressed; it is still taken."""

from __future__ import annotations

import json
from dataclasses import asdict

from hayrick_common.chunk import Manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest of a raw delivery as JSON of format 1."""
    values = asdict(manifest)
    return json.dumps({"format": 1, **values.pop("chunk"), **values}).encode()
