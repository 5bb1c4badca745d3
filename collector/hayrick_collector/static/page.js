// The plain page over the API. Every text from a packet is set as text, never as markup.
"use strict";

const PAGE = 100;
const HOSTS = ["http.host", "dns.host", "quic.host", "dhcp.host", "email.host", "smb.host", "socks.host"];
const INFO = ["http.method", "http.uri", "http.statuscode", "dns.qt", "dns.status", "tls.version", "cert.subjectCN",
  "ssh.version", "email.subject", "smb.filename", "user", "tags", "anomaly"];
const FIELDS = ["id", "firstPacket", "protocol", "ipProtocol", "source.ip", "source.port", "destination.ip",
  "destination.port", "network.packets", "network.bytes", ...HOSTS, ...INFO];
const IP_PROTOCOLS = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp" };
// Control, format, bidirectional and other invisible characters are shown by their code.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

const at = (id) => document.getElementById(id);
const safe = (text) => String(text).replace(HIDDEN, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
let cursor = null;
let asked = new URLSearchParams();

async function call(path, accept) {
  const token = sessionStorage.getItem("token");
  const answer = await fetch(path, { headers: token ? { Authorization: "Bearer " + token } : {} });
  if (answer.status === 401) {
    await askToken();
    return call(path, accept);
  }
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({ error: { message: "the collector answered " + answer.status } }));
    throw Object.assign(new Error(told.error.message), { column: told.error.column });
  }
  return accept === "blob" ? answer.blob() : answer.json();
}

function askToken() {
  const dialog = at("token");
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => {
    sessionStorage.setItem("token", at("token-value").value);
    resolve();
  }, { once: true }));
}

// All values at a dotted name, through lists and lists of objects.
function values(inner, name) {
  if (Array.isArray(inner)) return inner.flatMap((each) => values(each, name));
  if (name === "") return inner === undefined || inner === null ? [] : [inner];
  if (inner === null || typeof inner !== "object") return [];
  return Object.keys(inner).flatMap((key) => (key === name ? values(inner[key], "")
    : name.startsWith(key + ".") ? values(inner[key], name.slice(key.length + 1)) : []));
}

const value = (document_, name) => values(document_, name)[0];

function words(item, names) {
  const found = new Set();
  for (const name of names) for (const word of values(item, name)) found.add(safe(word));
  return [...found].join(", ");
}

function end(item, side) {
  const address = safe(value(item, side + ".ip") ?? "");
  const port = value(item, side + ".port");
  if (!port) return address;
  return address.includes(":") ? "[" + address + "]:" + port : address + ":" + port;
}

const time = (ms) => (ms === undefined ? "" : new Date(ms).toISOString().replace("T", " ").replace("Z", ""));
const cut = (text) => (text.length > 160 ? text.slice(0, 159) + "…" : text);

function cell(row, text, kind) {
  const made = row.insertCell();
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function addRow(item) {
  const row = at("rows").insertRow();
  const address = "/session/" + encodeURIComponent(item.id);
  const link = document.createElement("a");
  link.href = address;
  link.textContent = time(value(item, "firstPacket"));
  cell(row, "", "fixed").append(link);
  cell(row, words(item, ["protocol"]) || IP_PROTOCOLS[value(item, "ipProtocol")] || "");
  cell(row, end(item, "source"), "fixed");
  cell(row, end(item, "destination"), "fixed");
  cell(row, cut(words(item, HOSTS)));
  cell(row, (value(item, "network.packets") ?? 0).toLocaleString(), "number");
  cell(row, (value(item, "network.bytes") ?? 0).toLocaleString(), "number");
  cell(row, cut(words(item, INFO)));
  row.addEventListener("click", (event) => { if (event.target !== link) location.href = address; });
}

async function search(more) {
  const query = new URLSearchParams(asked);
  query.set("limit", PAGE);
  query.set("fields", FIELDS.join(","));
  if (more && cursor) query.set("cursor", cursor);
  if (!more) at("rows").replaceChildren();
  showError(null);
  try {
    const page = await call("/api/sessions?" + query);
    page.items.forEach(addRow);
    cursor = page.cursor;
    at("count").textContent = page.total === 0 ? "No session matches."
      : page.total.toLocaleString() + (page.total === 1 ? " session" : " sessions");
    at("pcap").hidden = page.total === 0;
    at("more").hidden = !cursor;
    at("results").hidden = false;
  } catch (error) {
    at("results").hidden = true;
    showError(error);
  }
}

function showError(error) {
  at("error").hidden = !error;
  if (!error) return;
  const expression = safe(at("expression").value);
  at("error").textContent = error.column
    ? expression + "\n" + " ".repeat(Math.max(error.column - 1, 0)) + "^\n" + safe(error.message) : safe(error.message);
}

async function download(path, name) {
  try {
    const blob = await call(path, "blob");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } catch (error) {
    showError(error);
  }
}

function flatten(document_, prefix, rows) {
  for (const [key, each] of Object.entries(document_)) {
    const name = prefix + key;
    if (Array.isArray(each) && each.some((one) => one && typeof one === "object")) {
      each.forEach((one, index) => flatten({ [index + 1]: one }, name + ".", rows));
    } else if (each && typeof each === "object" && !Array.isArray(each)) flatten(each, name + ".", rows);
    else rows.push([name, Array.isArray(each) ? each.map(safe).join("\n") : safe(each)]);
  }
  return rows;
}

async function showSession(id) {
  const session = await call("/api/sessions/" + encodeURIComponent(id));
  at("title").textContent = end(session, "source") + " → " + end(session, "destination") + "  " + words(session, ["protocol"]);
  for (const [name, text] of flatten(session, "", [])) {
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    term.textContent = safe(name);
    detail.textContent = ["firstPacket", "lastPacket"].includes(name) ? time(Number(text)) + "  (" + text + ")" : text;
    at("fields").append(term, detail);
  }
  at("session-pcap").addEventListener("click",
    () => download("/api/sessions/" + encodeURIComponent(id) + ".pcap", id + ".pcap"));
  at("session").hidden = false;
}

async function showStatus() {
  const status = await call("/api/status");
  const totals = status.totals;
  at("status").textContent = totals.sessions.toLocaleString() + " sessions and " + totals.packets.toLocaleString()
    + " packets stored, " + status.backlog + " chunks waiting, " + status.chunks.failed + " failed, "
    + status.sensors.length + " sensors";
}

function start() {
  const address = new URLSearchParams(location.search);
  at("expression").value = address.get("expression") ?? "";
  at("last").value = address.get("last") ?? "";
  asked = new URLSearchParams({ expression: at("expression").value });
  if (at("last").value) asked.set("from", "-" + at("last").value);
  at("more").addEventListener("click", () => search(true));
  at("pcap").addEventListener("click", () => download("/api/sessions.pcap?" + asked, "sessions.pcap"));
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = new URLSearchParams();
    if (at("expression").value) wanted.set("expression", at("expression").value);
    if (at("last").value) wanted.set("last", at("last").value);
    location.href = "/?" + wanted;
  });
  const session = location.pathname.match(/^\/session\/([^/]+)$/);
  const shown = session ? showSession(decodeURIComponent(session[1])) : search(false);
  shown.catch(showError).then(showStatus).catch(showError);
}

start();
