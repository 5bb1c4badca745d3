// The table's columns: a few that join several fields, and any field of the catalogue.
import { type Document, type Value, value, values } from "./document";
import { bytes, moment, number } from "./text";

export interface Cell {
  field: string;
  value: Value;
  text: string;
}

export interface Column {
  name: string;
  title: string;
  width: number;
  right?: boolean;
  sort?: string;
  fields: string[];
  cells: (document: Document) => Cell[];
}

const HOSTS = ["http.host", "dns.host", "quic.host", "dhcp.host", "email.host", "smb.host", "socks.host"];
const INFO = [
  "http.method",
  "http.statuscode",
  "http.uri",
  "dns.qt",
  "dns.status",
  "tls.version",
  "cert.subjectCN",
  "ssh.version",
  "email.subject",
  "smb.filename",
  "user",
  "anomaly",
];
const IP_PROTOCOLS: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp" };

function of(names: string[], most = 12): (document: Document) => Cell[] {
  return (document) => {
    const cells: Cell[] = [];
    const seen = new Set<Value>();
    for (const name of names) {
      for (const each of values(document, name)) {
        if (seen.has(each)) continue;
        seen.add(each);
        cells.push({ field: name, value: each, text: String(each) });
        if (cells.length === most) return cells;
      }
    }
    return cells;
  };
}

function end(side: string): (document: Document) => Cell[] {
  return (document) => {
    const [ip, port] = [value(document, `${side}.ip`), value(document, `${side}.port`)];
    const cells: Cell[] = ip === undefined ? [] : [{ field: `${side}.ip`, value: ip, text: String(ip) }];
    if (port) cells.push({ field: `${side}.port`, value: port, text: String(port) });
    return cells;
  };
}

function shown(name: string, show: (amount: number) => string): (document: Document) => Cell[] {
  return (document) =>
    values(document, name).map((each) => ({
      field: name,
      value: each,
      text: typeof each === "number" ? show(each) : String(each),
    }));
}

function protocols(document: Document): Cell[] {
  const found = of(["protocol"])(document);
  const ip = value(document, "ipProtocol");
  if (found.length || ip === undefined) return found;
  return [{ field: "ipProtocol", value: ip, text: IP_PROTOCOLS[Number(ip)] ?? String(ip) }];
}

const MADE: Column[] = [
  {
    name: "time",
    title: "Start (UTC)",
    width: 190,
    sort: "firstPacket",
    fields: ["firstPacket"],
    cells: shown("firstPacket", moment),
  },
  {
    name: "stop",
    title: "Stop (UTC)",
    width: 190,
    sort: "lastPacket",
    fields: ["lastPacket"],
    cells: shown("lastPacket", moment),
  },
  {
    name: "protocols",
    title: "Protocols",
    width: 130,
    sort: "protocol",
    fields: ["protocol", "ipProtocol"],
    cells: protocols,
  },
  {
    name: "source",
    title: "Source",
    width: 200,
    sort: "source.ip",
    fields: ["source.ip", "source.port"],
    cells: end("source"),
  },
  {
    name: "destination",
    title: "Destination",
    width: 200,
    sort: "destination.ip",
    fields: ["destination.ip", "destination.port"],
    cells: end("destination"),
  },
  {
    name: "packets",
    title: "Packets",
    width: 84,
    right: true,
    sort: "network.packets",
    fields: ["network.packets"],
    cells: shown("network.packets", number),
  },
  {
    name: "bytes",
    title: "Bytes",
    width: 84,
    right: true,
    sort: "network.bytes",
    fields: ["network.bytes"],
    cells: shown("network.bytes", bytes),
  },
  { name: "hosts", title: "Hosts", width: 190, fields: HOSTS, cells: of(HOSTS) },
  { name: "info", title: "Info", width: 340, fields: INFO, cells: of(INFO) },
  { name: "tags", title: "Tags", width: 130, fields: ["tags"], cells: of(["tags"]) },
];
export const USUAL = ["time", "protocols", "source", "destination", "packets", "bytes", "hosts", "info", "tags"];
export const JOINED: readonly Column[] = MADE;

/** The column of a name: one of ours, or a field by its name in documents. */
export function column(name: string): Column {
  const made = MADE.find((each) => each.name === name);
  if (made) return made;
  return { name, title: name, width: 150, sort: name, fields: [name], cells: of([name]) };
}
