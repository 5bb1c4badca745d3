"""What people do together: views, lists, notes, cases, uploads; and what each may not see or change of it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from pathlib import Path

import httpx
from tests.collector.api.office import BASE, Office, at_work, folder
from tests.collector.captures import mixed_frames, write_pcap

from hayrick_collector.backend import Capture
from hayrick_collector.config import ApiConfig, CollectorConfig


async def ingested(office: Office, path: Path, *tags: str) -> Path:
    """The mixed capture, searchable."""
    evidence = write_pcap(path / "evidence.pcap", mixed_frames())
    await office.backend.ingest(Capture("evidence.pcap", lambda: evidence.open("rb")), tags=tags)
    return evidence


async def ids(client: httpx.AsyncClient, expression: str = "") -> list[str]:
    answer = await client.get("/api/sessions", params={"expression": expression, "fields": "id"})
    return [item["id"] for item in answer.json()["items"]]


def test_forced_expression_holds_for_every_way_to_a_session(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        await ingested(office, tmp_path)
        everyone = office.token("ann", "tagger")
        dns = office.token("bob", "tagger", "protocols == dns")
        hidden = set(await ids(everyone)) - set(await ids(dns))
        assert (len(await ids(everyone)), len(hidden)) == (3, 1)
        (other,) = hidden
        for expression in ("", f"id == {other}", "protocols == http", "protocols == http || port == 80"):
            assert not hidden & set(await ids(dns, expression))
        assert (await dns.get(f"/api/sessions/{other}")).status_code == 404
        assert (await dns.get(f"/api/sessions/{other}.pcap")).status_code == 404
        assert (await dns.get("/api/sessions.pcap")).headers["X-Hayrick-Sessions"] == "2"
        assert (await dns.get("/api/notes", params={"session": other})).status_code == 404
        assert (await dns.post("/api/notes", json={"session": other, "text": "x"})).status_code == 404
        assert (await dns.post("/api/tags", json={"expression": "", "add": ["seen"]})).json() == {"sessions": 2}
        facets = (await dns.get("/api/facets", params={"field": "protocols"})).json()["items"]
        assert "http" not in {each["value"] for each in facets}
        for path in ("/api/chunks", "/api/notes"):
            assert (await dns.get(path)).status_code == 403
        assert (await everyone.get(f"/api/sessions/{other}")).json()["id"] == other

    at_work(folder(tmp_path / "data"), work)


def test_views_and_lists_are_saved_changed_and_shared(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        await ingested(office, tmp_path)
        ann, bob = office.token("ann", "viewer"), office.token("bob", "viewer")
        view = (await ann.post("/api/views", json={"name": "dns", "expression": "protocols == dns"})).json()
        assert (await ann.post("/api/views", json={"name": "dns"})).status_code == 400
        assert (await bob.get("/api/views")).json() == {"items": []}
        changed = {**view, "shared": True, "columns": ["dns.host"], "span": "24h"}
        assert (await bob.put(f"/api/views/{view['id']}", json=changed)).status_code == 404
        assert (await ann.put(f"/api/views/{view['id']}", json=changed)).json()["columns"] == ["dns.host"]
        assert [each["name"] for each in (await bob.get("/api/views")).json()["items"]] == ["dns"]
        assert (await bob.delete(f"/api/views/{view['id']}")).status_code == 403
        hosts = {"name": "hosts", "kind": "host", "values": ["www.example"], "shared": True}
        assert (await ann.post("/api/lists", json=hosts)).status_code == 201
        assert len(await ids(bob, "http.host == $hosts")) == 1
        assert (await ann.delete(f"/api/views/{view['id']}")).status_code == 204

    at_work(folder(tmp_path / "data"), work)


def test_notes_are_ones_own_to_change(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        await ingested(office, tmp_path)
        ann, bob = office.token("ann", "tagger"), office.token("bob", "tagger")
        session = (await ids(ann))[0]
        text = "<script>alert(1)</script> \u202e"
        note = (await ann.post("/api/notes", json={"session": session, "text": text})).json()
        assert (note["author"], note["text"]) == ("ann", text)
        assert (await bob.put(f"/api/notes/{note['id']}", json={"text": "mine"})).status_code == 403
        second = await bob.post("/api/notes", json={"session": session, "text": "seen"})
        assert second.status_code == 201
        on = (await bob.get("/api/notes", params={"session": session})).json()["items"]
        assert [each["author"] for each in on] == ["ann", "bob"]
        page = (await bob.get("/api/notes", params={"limit": 1})).json()
        rest = (await bob.get("/api/notes", params={"limit": 1, "cursor": page["cursor"]})).json()
        assert [page["items"][0]["author"], rest["items"][0]["author"], rest["cursor"]] == ["bob", "ann", None]
        assert (await ann.delete(f"/api/notes/{note['id']}")).status_code == 204
        viewer = office.token("eve", "viewer")
        assert (await viewer.post("/api/notes", json={"session": session, "text": "x"})).status_code == 403

    at_work(folder(tmp_path / "data"), work)


def test_case_is_handed_out_with_every_hash(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        evidence = await ingested(office, tmp_path)
        ann, bob = office.token("ann", "tagger"), office.token("bob", "tagger")
        assert (await ann.post("/api/cases", json={"name": "one/two"})).status_code == 400
        made = await ann.post("/api/cases", json={"name": "one", "title": "Needle", "members": ["eve"]})
        assert made.json()["owner"] == "ann"
        body = {"expression": "protocols == dns"}
        assert (await bob.post("/api/cases/one/sessions", json=body)).status_code == 403
        assert (await ann.post("/api/cases/one/sessions", json=body)).json() == {"sessions": 2}
        await ann.patch("/api/cases/one", json={"members": ["bob"]})
        assert (await bob.patch("/api/cases/one", json={"state": "closed"})).json()["state"] == "closed"
        session = (await ids(ann, "tags == one"))[0]
        await ann.post("/api/notes", json={"session": session, "text": "look"})
        shown = (await bob.get("/api/cases/one")).json()
        sha256 = hashlib.sha256(evidence.read_bytes()).hexdigest()
        assert (shown["sessions"], [each["sha256"] for each in shown["sources"]]) == (2, [sha256])
        answer = await bob.get("/api/cases/one.zip")
        with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
            assert zipped.testzip() is None
            files = {name: zipped.read(name) for name in zipped.namelist()}
        manifest = json.loads(files.pop("manifest.json"))
        assert {each["name"]: each["sha256"] for each in manifest["files"]} == {
            name: hashlib.sha256(content).hexdigest() for name, content in files.items()
        }
        assert manifest["sources"][0]["sha256"] == sha256
        assert set(files) == {"case.json", "sessions.ndjson", "notes.ndjson", "packets.pcap"}
        assert len(files["sessions.ndjson"].splitlines()) == 2
        assert json.loads(files["notes.ndjson"])["text"] == "look"
        exported = await ann.get("/api/sessions.pcap", params={"expression": "tags == one"})
        assert files["packets.pcap"] == exported.content
        viewer = office.token("eve", "viewer")
        assert (await viewer.get("/api/cases/one.zip")).status_code == 403

    at_work(folder(tmp_path / "data"), work)


def test_upload_is_followed_until_it_is_searchable(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        capture = write_pcap(tmp_path / "x.pcap.gz", mixed_frames()).read_bytes()
        ann, bob = office.token("ann", "tagger"), office.token("bob", "tagger")
        announced = {"name": "../x.pcap.gz", "size": len(capture), "tags": ["case_one"]}
        upload = (await ann.post("/api/upload", json=announced)).json()
        assert (upload["state"], upload["received"]) == ("waiting", 0)
        assert (await bob.get(f"/api/upload/{upload['id']}")).status_code == 404
        sent = (await ann.put(f"/api/upload/{upload['id']}", content=capture)).json()
        assert (sent["state"], sent["received"]) == ("landed", len(capture))
        assert (await ann.put(f"/api/upload/{upload['id']}", content=capture)).status_code == 409
        await office.backend.pool.index_one(sent["key"], lambda found: None)
        after = (await ann.get(f"/api/upload/{upload['id']}")).json()
        assert (after["state"], after["sessions"]) == ("indexed", 3)
        assert len(await ids(ann, "tags == case_one")) == 3
        bad = (await ann.post("/api/upload", json={"name": "x"})).json()
        assert (await ann.put(f"/api/upload/{bad['id']}", content=b"no capture")).status_code == 422
        told = (await ann.get(f"/api/upload/{bad['id']}")).json()
        assert told["state"] == "failed"
        assert told["error"]
        viewer = office.token("eve", "packets")
        assert (await viewer.post("/api/upload", json=announced)).status_code == 403

    at_work(folder(tmp_path / "data"), work)


def test_upload_larger_than_allowed_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.app.state.uploads.most_bytes = 100
        client = office.client()
        big = write_pcap(tmp_path / "x.pcap", mixed_frames()).read_bytes()
        assert (await client.post("/api/upload", json={"name": "x", "size": 101})).status_code == 413
        upload = (await client.post("/api/upload", json={"name": "x"})).json()

        async def pieces():
            yield big[:90]
            yield big[90:]

        refused = await client.put(f"/api/upload/{upload['id']}", content=pieces())
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
        assert (await client.post("/api/ingest", content=big)).status_code == 413
        incoming = tmp_path / "data" / "incoming"
        assert [path for path in incoming.rglob("*") if path.is_file()] == []

    at_work(CollectorConfig(data=tmp_path / "data", api=ApiConfig()), work)


def test_users_are_the_administrators_business_and_tokens_ones_own(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        root, ann = office.token("root", "admin"), office.token("ann", "packets")
        for method, path in (("GET", "/api/users"), ("POST", "/api/users"), ("GET", "/api/audit")):
            assert (await ann.request(method, path, json={"name": "x", "role": "admin"})).status_code == 403
        made = await root.post("/api/users", json={"name": "eve", "role": "viewer", "expression": "port == 53"})
        assert (made.status_code, made.json()["password"]) == (201, False)
        wrong = await root.post("/api/users", json={"name": "bad", "role": "viewer", "expression": "port =="})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "expression")
        assert (await root.patch("/api/users/eve", json={"role": "packets"})).json()["role"] == "packets"
        assert (await root.delete("/api/users/eve")).status_code == 204
        assert (await root.get("/api/users/eve")).status_code == 404
        assert (await ann.post("/api/tokens", json={"name": "x", "role": "viewer"})).status_code == 403
        body = {"name": "x", "role": "tagger", "owner": "ann", "days": 1}
        secret = (await root.post("/api/tokens", json=body)).json()["secret"]
        assert (await office.client(Authorization=f"Bearer {secret}").get("/api/me")).json()["role"] == "packets"
        listed = (await root.get("/api/tokens", params={"all": True})).json()["items"]
        assert "secret" not in listed[0]
        assert (await root.delete(f"/api/tokens/{listed[0]['id']}")).status_code == 204
        assert (await office.client(Authorization=f"Bearer {secret}").get("/api/me")).status_code == 401

    at_work(folder(tmp_path), work)


def test_logged_in_user_makes_tokens_for_no_more_than_oneself(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        office.accounts.users.add("ann", "packets", password="correct horse")
        ann = await office.browser("ann")
        for body in ({"role": "admin"}, {"role": "viewer", "owner": ""}, {"role": "viewer", "owner": "root"}):
            assert (await ann.post("/api/tokens", json={"name": "x", **body})).status_code == 403, body
        made = (await ann.post("/api/tokens", json={"name": "x", "role": "packets"})).json()
        mine = (await ann.get("/api/tokens")).json()["items"]
        assert [(each["name"], each["owner"]) for each in mine] == [("x", "ann")]
        assert (await ann.delete(f"/api/tokens/{made['id']}")).status_code == 204

    at_work(folder(tmp_path), work)


def test_audit_log_tells_who_did_what_and_never_a_secret(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        root, ann = office.token("root", "admin"), office.token("ann", "viewer")
        await ann.get("/api/sessions", params={"expression": "port == 53"})
        await ann.get("/api/sessions.pcap")
        await root.post("/api/users", json={"name": "bob", "role": "viewer", "password": "correct horse"})
        await root.patch("/api/users/bob", json={"password": "battery staple"})
        await office.client().post("/api/auth/login", json={"name": "bob", "password": "wrong guess"})
        await office.browser("bob", "battery staple")
        entries = (await root.get("/api/audit")).json()["items"]
        told = [(each["person"], each["action"], each["status"]) for each in reversed(entries)]
        assert told == [
            ("ann", "search", 200), ("ann", "export", 403), ("root", "add_user", 201), ("root", "change_user", 200),
            ("", "login", 401), ("bob", "login", 200),
        ]  # fmt: skip
        assert entries[-1]["detail"] == {"path": "/api/sessions", "query": "expression=port+%3D%3D+53"}
        for secret in ("correct horse", "battery staple", "wrong guess"):
            assert secret not in json.dumps(entries)
        page = (await root.get("/api/audit", params={"limit": 4})).json()
        rest = (await root.get("/api/audit", params={"limit": 4, "cursor": page["cursor"]})).json()
        assert [each["id"] for each in page["items"] + rest["items"]] == [each["id"] for each in entries]
        only = (await root.get("/api/audit", params={"person": "ann", "action": "export"})).json()["items"]
        assert len(only) == 1
        assert office.accounts.audit.forget(365, most=2) == 4
        assert office.accounts.audit.forget(0) == 2

    at_work(folder(tmp_path), work)


def test_share_shows_what_its_owner_shared_until_its_time_and_nothing_else(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        await ingested(office, tmp_path)
        ann = office.token("ann", "packets")
        everything = await ids(ann)
        made = (await ann.post("/api/shares", json={"expression": "protocols == dns", "hours": 1})).json()
        code = made["link"].partition("#")[2]
        guest = office.client(Origin=BASE)
        assert (await guest.get("/api/sessions")).status_code == 401
        assert (await guest.post("/api/auth/share", json={"code": "guess"})).status_code == 404
        opened = (await guest.post("/api/auth/share", json={"code": code})).json()
        assert (opened["expression"], opened["owner"]) == ("protocols == dns", "ann")
        shown = await ids(guest)
        assert len(shown) == 2
        (hidden,) = set(everything) - set(shown)
        assert await ids(guest, "protocols == http || id == *") == shown
        assert (await guest.get(f"/api/sessions/{hidden}")).status_code == 404
        assert (await guest.get(f"/api/sessions/{shown[0]}")).status_code == 200
        facets = (await guest.get("/api/facets", params={"field": "protocols"})).json()["items"]
        assert "http" not in {each["value"] for each in facets}
        for method, path in (
            ("GET", "/api/sessions.pcap"), ("GET", f"/api/sessions/{shown[0]}.pcap"), ("GET", "/api/status"),
            ("GET", "/api/views"), ("GET", f"/api/notes?session={shown[0]}"), ("GET", "/api/chunks"),
            ("GET", "/api/cases"), ("POST", "/api/tags"), ("POST", "/api/shares"), ("GET", "/api/audit"),
        ):  # fmt: skip
            assert (await guest.request(method, path, json={"expression": "", "add": ["x"]})).status_code == 403, path
        assert (await ann.delete(f"/api/shares/{made['id']}")).status_code == 204
        assert (await guest.get("/api/sessions")).status_code == 401

    at_work(folder(tmp_path / "data"), work)


def test_share_of_a_limited_person_shows_no_more_than_that_person_sees(tmp_path: Path) -> None:
    async def work(office: Office) -> None:
        await ingested(office, tmp_path)
        ann, bob = office.token("ann", "packets"), office.token("bob", "packets", "protocols == http")
        dns = (await ids(ann, "protocols == dns"))[0]
        assert (await bob.post("/api/shares", json={"session": dns})).status_code == 404
        for expression in ("protocols == dns) || (port == 80", "protocols == dns || $mine"):
            refused = await bob.post("/api/shares", json={"expression": expression})
            assert refused.json()["error"]["code"] == "expression", expression
        assert (await bob.post("/api/shares", json={})).status_code == 400
        made = (await bob.post("/api/shares", json={"expression": "protocols == dns || port == 80"})).json()
        guest = office.client()
        await guest.post("/api/auth/share", json={"code": made["link"].partition("#")[2]})
        assert await ids(guest) == await ids(bob)
        one = (await ann.post("/api/shares", json={"session": dns, "hours": 0.0001})).json()
        code = {"code": one["link"].partition("#")[2]}
        await asyncio.sleep(0.4)
        assert (await office.client().post("/api/auth/share", json=code)).status_code == 404

    at_work(folder(tmp_path / "data"), work)
