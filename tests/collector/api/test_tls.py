"""A collector with a certificate: the page and the commands by TLS, cookies for TLS only, nothing in clear."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.collector.captures import mixed_frames, write_pcap
from tests.system.collector_process import collector

from hayrick_common.cli import main


def test_collector_with_a_certificate_serves_by_tls_only(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, key, settings = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "collector.toml"
    names = ["-subj", "/CN=rick", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
    settings.write_text(f'[api]\ncertificate = "{certificate}"\nkey = "{key}"\n')
    trusted = ssl.create_default_context(cafile=str(certificate))
    with collector(data, tmp_path / "log", "--config", str(settings)) as running:
        assert running.url.startswith("https://127.0.0.1:")
        code = (tmp_path / "log").read_text().partition(f"{running.url}/setup#")[2].split()[0]
        with httpx.Client(base_url=running.url, verify=trusted, trust_env=False) as browser:
            body = {"code": code, "name": "root", "password": "correct horse"}
            answer = browser.post("/api/auth/setup", json=body)
            assert "__Host-hayrick=" in answer.headers["Set-Cookie"]
            assert {"Secure", "HttpOnly"} <= set(answer.headers["Set-Cookie"].split("; "))
            assert answer.headers["Strict-Transport-Security"]
            made = browser.post("/api/tokens", json={"name": "x", "role": "admin"}, headers={"Origin": running.url})
        with pytest.raises(httpx.HTTPError):
            httpx.get(running.url.replace("https", "http"), timeout=10)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("HAYRICK_TOKEN", made.json()["secret"])
        evidence = write_pcap(tmp_path / "x.pcap", mixed_frames())
        assert main(["ingest", str(evidence), "--server", running.url]) == 0
        assert "3 sessions" in capsys.readouterr().out
