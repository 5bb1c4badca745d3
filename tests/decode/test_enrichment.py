"""What local tables say of a session's ends is in its document, under the peer's names, and nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dpkt
import pytest
from tests.collector.captures import dns_query, write_pcap
from tests.decode.mmdb import write_mmdb

import hayrick_decode

NAMED = "Prefix,Designation,Date,WHOIS\n192/8,Administered by ARIN,1993-05,whois.arin.net\n"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A question from 192.0.2.10 to 192.0.2.53."""
    path = tmp_path / "x.pcap"
    write_pcap(path, [dns_query("needle.example.top")])
    return path


def documents(path: Path, enrichment: hayrick_decode.Enrichment | None = None) -> list[dict[str, Any]]:
    batches = hayrick_decode.decode(path, enrichment=enrichment)
    return [json.loads(line) for batch in batches for line in batch.ndjson().splitlines()]


def test_each_table_fills_its_fields(tmp_path: Path, capture: Path) -> None:
    plain = documents(capture)[0]
    source, maker = plain["source"]["ip"], plain["source"]["mac"][0][:8]
    (tmp_path / "rir.csv").write_text(NAMED.replace("192/8", f"{source.split('.')[0]}/8"))
    (tmp_path / "manuf").write_text(f"{maker.upper()}\tHay\tHay Makers, Inc.\n")
    country = write_mmdb(tmp_path / "country.mmdb", {f"{source}/32": {"country": {"iso_code": "DE"}}})
    system = {"autonomous_system_number": 64500, "autonomous_system_organization": "Hay AG"}
    tables = hayrick_decode.Enrichment(
        country=country,
        asn=write_mmdb(tmp_path / "asn.mmdb", {f"{source}/32": system}),
        rir=tmp_path / "rir.csv",
        oui=tmp_path / "manuf",
    )
    (rich,) = documents(capture, tables)
    assert rich["source"]["geo"] == {"country_iso_code": "DE"}
    assert rich["source"]["as"] == {"full": "AS64500 Hay AG", "number": 64500, "organization": {"name": "Hay AG"}}
    assert rich["srcRIR"] == "ARIN"
    assert (rich["srcOui"], rich["srcOuiCnt"]) == (["Hay Makers, Inc."], 1)
    for name in ("geo", "as"):
        del rich["source"][name]
    for name in ("srcRIR", "dstRIR", "srcOui", "srcOuiCnt", "dstOui", "dstOuiCnt"):
        rich.pop(name, None)
    assert rich == plain


def test_client_of_dhcp_is_told_with_its_maker(tmp_path: Path) -> None:
    client = bytes.fromhex("000b82010203")
    message = dpkt.dhcp.DHCP(chaddr=client, opts=((dpkt.dhcp.DHCP_OPT_MSGTYPE, b"\x01"),), xid=7)
    datagram = dpkt.udp.UDP(sport=68, dport=67, data=bytes(message).ljust(300, b"\0"))
    datagram.ulen = len(datagram)
    packet = dpkt.ip.IP(p=17, dst=b"\xff" * 4, data=datagram)
    packet.len = len(packet)
    frame = dpkt.ethernet.Ethernet(src=client, dst=b"\xff" * 6, data=packet)
    write_pcap(tmp_path / "dhcp.pcap", [bytes(frame)])
    (tmp_path / "manuf").write_text("00:0B:82\tHay\tHay Makers, Inc.\n")
    (document,) = documents(tmp_path / "dhcp.pcap", hayrick_decode.Enrichment(oui=tmp_path / "manuf"))
    assert document["dhcp"]["oui"] == ["Hay Makers, Inc."]


def test_other_form_of_country_database_is_read(tmp_path: Path, capture: Path) -> None:
    source = documents(capture)[0]["source"]["ip"]
    network = source.rsplit(".", 1)[0] + ".0/24"
    path = write_mmdb(tmp_path / "c.mmdb", {network: {"country_code": "NZ"}})
    (rich,) = documents(capture, hayrick_decode.Enrichment(country=path))
    assert rich["source"]["geo"]["country_iso_code"] == "NZ"


@pytest.mark.parametrize("name", ["country", "asn", "rir", "oui"])
def test_table_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "table"
    with pytest.raises(FileNotFoundError, match="table"):
        hayrick_decode.Enrichment(**{name: path})
    path.write_bytes(b"not one of them" * 20)
    with pytest.raises(ValueError, match="table"):
        hayrick_decode.Enrichment(**{name: path})


def test_damaged_database_does_no_harm(tmp_path: Path, capture: Path) -> None:
    whole = write_mmdb(
        tmp_path / "c.mmdb", {"0.0.0.0/1": {"country_code": "NZ"}, "128.0.0.0/1": {"country_code": "DE"}}
    )
    original = whole.read_bytes()
    damaged = tmp_path / "d.mmdb"
    for at in range(0, original.index(b"MaxMind.com"), 5):
        damaged.write_bytes(original[:at] + b"\xff" + original[at + 1 :])
        assert len(documents(capture, hayrick_decode.Enrichment(country=damaged))) == 1
