// Time ranges and the intervals they are drawn in.
export const SPANS: readonly [string, string][] = [
  ["", "All time"],
  ["15m", "Last 15 minutes"],
  ["1h", "Last hour"],
  ["6h", "Last 6 hours"],
  ["24h", "Last 24 hours"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["90d", "Last 90 days"],
];
const UNITS: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5,
  216e5, 432e5, 864e5, 1728e5, 6048e5, 12096e5, 2592e6, 7776e6, 31536e6,
];

export interface Range {
  from: number;
  to: number;
}

export function length(last: string): number | null {
  const found = /^(\d+)([smhdw])$/.exec(last);
  return found ? Number(found[1]) * (UNITS[found[2] ?? ""] ?? 0) : null;
}

/** The least step that draws a range in at most so many columns. */
export function interval(range: Range, columns = 160): number {
  const wanted = Math.max(1, (range.to - range.from) / columns);
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / 31536e6) * 31536e6;
}

/** What a datetime-local input shows, in UTC. */
export function asInput(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19);
}

export function fromInput(text: string): number | null {
  const ms = Date.parse(text.endsWith("Z") ? text : `${text}Z`);
  return Number.isNaN(ms) ? null : ms;
}

/** Words for marks on a time axis, in UTC: as short as tells them apart. */
export function ticks(marks: readonly number[]): string[] {
  const step = (marks[1] ?? 0) - (marks[0] ?? 0);
  return marks.map((mark) => {
    const [date, time] = new Date(mark).toISOString().split("T") as [string, string];
    if (step >= 864e5) return date;
    if (mark % 864e5 === 0) return date.slice(5);
    return time.slice(0, step < 1000 ? 12 : step < 6e4 ? 8 : 5);
  });
}
