// The time range to draw: the one that was asked for, or else the one that what matches takes.
import { get, type Schemas } from "./api";
import { type Document, value } from "./document";
import { parameter } from "./router.svelte";
import { question } from "./state.svelte";
import type { Range } from "./times";

export async function settled(signal: AbortSignal): Promise<Range | null> {
  const { expression, from, to } = question();
  if (from && (to || parameter("last"))) return { from, to: to ?? Date.now() };
  const end = async (order: string) => {
    const asked = { expression, from, to, sort: `firstPacket:${order}`, limit: 1, fields: "firstPacket" };
    const found = await get<Schemas["SessionsPage"]>("/api/sessions", asked, signal);
    return Number(value((found.items[0] ?? {}) as Document, "firstPacket"));
  };
  const [first, last] = await Promise.all([end("asc"), end("desc")]);
  return Number.isFinite(first) ? { from: from ?? first, to: to ?? Math.max(last + 1, first + 1000) } : null;
}
