"""The collector's part of `hayrick doctor`: folder, disk, store, chunks, sensors, keys, certificate, programs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hayrick_collector.config import CollectorConfig, load_config
from hayrick_common import host, programs
from hayrick_common.doctor import Finding, finding
from hayrick_common.errors import HayrickError, KeyFileError
from hayrick_common.keys import PUBLIC_SUFFIX, check_private, read_public

SILENT_SECONDS = 300
SKEW_MS = 1_000
WAITING_SECONDS = 600
CERTIFICATE_DAYS = 21
PROGRAMS = {"tshark": "packets are not taken apart on the page", "tcpdump": "hunts by capture filter do not work"}


def findings(path: Path) -> Iterator[Finding]:
    """Look at the collector whose settings these are."""
    config = load_config(path)
    yield finding("settings", f"collector {config.node}, data in {config.data}, by {path}")
    yield from _programs()
    yield host.clock()
    yield from _exposed(config)
    if not config.folder.keys.is_dir():
        yield finding("data folder", f"{config.data} is not there", bad=f"hayrick collector init --config {path}")
        return
    yield from _folder(config)
    yield from _keys(config)
    yield from asyncio.run(_standing(config))


def _programs() -> Iterator[Finding]:
    for name, without in PROGRAMS.items():
        found = programs.find(name)
        yield finding(name, found or f"is not installed: {without}", warn="" if found else f"install {name}")


def _exposed(config: CollectorConfig) -> Iterator[Finding]:
    api = config.api
    if not (api.loopback or api.secure):
        advice = "set api.certificate and api.key, or a proxy with TLS before it and api.url"
        yield finding("page", f"at {api.listen}: passwords and packets cross the network in clear", warn=advice)
    elif not api.certificate:
        yield finding("page", f"at {api.listen}")
    else:
        yield _certificate(Path(api.certificate))


def _certificate(path: Path) -> Finding:
    from cryptography.x509 import load_pem_x509_certificate

    try:
        ends = load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        return finding("certificate", f"{path}: {error}", bad="name a PEM file that the collector's user can read")
    days = (ends - datetime.now(timezone.utc)).days
    advice = "renew it, and restart the collector" if days < CERTIFICATE_DAYS else ""
    return finding("certificate", f"{path} ends in {days} days", bad=advice if days < 0 else "", warn=advice)


def _folder(config: CollectorConfig) -> Iterator[Finding]:
    folder = config.folder
    parts = [folder.incoming, folder.archive, folder.inbox, folder.store, folder.keys, folder.catalog, folder.desk]
    yield from host.owned(config.data, parts)
    yield host.room("disk", config.data, config.ingest.keep_free_mb * host.MEGABYTE)
    yield host.disk_speed(config.data, 0)
    kept = config.retention
    if not (kept.days or kept.packet_days or kept.packet_gigabytes or kept.keep_free_gigabytes):
        advice = "set retention.keep_free_gigabytes or packet_gigabytes, else a full disk stops the landing"
        yield finding("retention", "everything is kept for ever", warn=advice)


def _keys(config: CollectorConfig) -> Iterator[Finding]:
    keys = config.folder.keys
    wrong = []
    try:
        check_private(keys / "collector.secret")
        if config.archive.keys:
            config.archive.keys.newest()
    except KeyFileError as error:
        wrong.append(str(error))
    sensors = sorted((keys / "sensors").glob("*" + PUBLIC_SUFFIX))
    seen: dict[str, str] = {}
    for path in sensors:
        try:
            other = seen.setdefault(read_public(path), path.name)
            if other != path.name:
                wrong.append(f"{path}: the same key as {other}, so only one of them is let in")
        except KeyFileError as error:
            wrong.append(str(error))
    for each in wrong:
        yield finding("keys", each, bad="mend or remove it")
    if not wrong:
        yield finding("keys", f"{len(sensors)} sensors are let in")


async def _standing(config: CollectorConfig) -> list[Finding]:
    """What the catalog and the store tell."""
    from hayrick_collector.direct import DirectBackend

    try:
        backend = await DirectBackend.open(config)
    except HayrickError as error:
        return [finding("store", str(error), bad="mend what it says; `hayrick store check` asks again")]
    try:
        status = await backend.status()
    finally:
        await backend.close()
    return [_store(status["store"]), *_chunks(status), *_sensors(status)]


def _store(health: dict[str, Any]) -> Finding:
    said = f"{health['kind']}" + (f": {health['error']}" if "error" in health else "")
    if full := health.get("indices_without_room"):
        return finding("store", f"{said}, no room for {', '.join(full)}", bad="give the cluster disk")
    if status := health.get("status"):
        said += f", {status}, {health['nodes']} nodes"
        if status == "yellow":
            return finding("store", said, warn="replicas have no place: another node, or store.replicas = 0 on one")
    return finding("store", said, bad="" if health["ok"] else "the cluster's own log says why")


def _chunks(status: dict[str, Any]) -> Iterator[Finding]:
    failed = status["chunks"].get("failed", 0)
    advice = "`hayrick status` lists them with the reasons; their packets are kept" if failed else ""
    yield finding("chunks", f"{status['chunks'].get('indexed', 0)} indexed, {failed} failed", warn=advice)
    waited = status["ingest"]["oldest_waiting_seconds"]
    said = f"{status['backlog']} chunks wait to be indexed, the oldest for {waited:.0f} s"
    slow = "does the collector run? more ingest.workers, a faster disk, the store" if waited > WAITING_SECONDS else ""
    yield finding("ingest", said, warn=slow)


def _sensors(status: dict[str, Any]) -> Iterator[Finding]:
    for sensor in status["sensors"]:
        silent = time.time() - (sensor["last_seen"] or 0)
        skew = (sensor["heartbeat"] or {}).get("clock_skew_ms")
        said = f"last heard of {silent:.0f} s ago"
        if isinstance(skew, int):
            said += f", clock {skew / 1000:+.3f} s"
        advice = ""
        if silent > SILENT_SECONDS:
            advice = "`hayrick doctor` on it; its host, its network, its key"
        elif isinstance(skew, int) and abs(skew) > SKEW_MS:
            advice = "set both clocks by the same servers (chrony)"
        yield finding(f"sensor {sensor['name']}", said, warn=advice)
