"""What systemd wants to hear of a service: that it is ready, and again and again that its loop turns (sd_notify(3))."""

from __future__ import annotations

import os
import socket


def tell(state: str) -> None:
    """Send `state` to whoever started us and wants to hear it; OSError when it cannot be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
