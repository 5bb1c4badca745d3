// Bytes from packets, as text and as hex.
export function decoded(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

/** What reads as UTF-8; the rest is shown by a sign of its own. */
export function asText(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** Lines of sixteen: where, the bytes, and what of them can be printed. */
export function asHex(data: Uint8Array, most = 1 << 16): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(data.length, most); at += 16) {
    const part = [...data.subarray(at, at + 16)];
    const hex = part.map((each) => each.toString(16).padStart(2, "0")).join(" ");
    const printed = part.map((each) => (each > 31 && each < 127 ? String.fromCharCode(each) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${printed}`);
  }
  if (data.length > most) lines.push(`… ${data.length - most} bytes more`);
  return lines.join("\n");
}
