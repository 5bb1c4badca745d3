// Every text from a packet is hostile: what cannot be seen, or turns the line around, is shown by its code.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const code = (sign: string) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`;

/** One line. */
export function visible(text: unknown): string {
  return String(text).replace(HIDDEN, code);
}

/** Several lines: breaks and tabs stay. */
export function visibleLines(text: string): string {
  return text.replace(HIDDEN, (sign) => (sign === "\n" || sign === "\t" ? sign : sign === "\r" ? "" : code(sign)));
}

/** What was typed between blanks and commas. */
export function words(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

export function cut(text: string, most = 300): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export function bytes(count: number): string {
  let unit = 0;
  let left = count;
  while (left >= 1000 && unit < UNITS.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit && left < 100 ? left.toFixed(1) : Math.round(left)} ${UNITS[unit]}`;
}

export const number = (count: number): string => count.toLocaleString("en");

export function plural(count: number, word: string): string {
  return `${number(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** UTC, with milliseconds. */
export function moment(ms: number | undefined): string {
  if (ms === undefined || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return "";
  return new Date(ms).toISOString().replace("T", " ").replace("Z", "");
}

/** UTC, to the minute. */
export const day = (ms: number | undefined): string => moment(ms).slice(0, 16);

export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
  return `${Math.floor(ms / 86_400_000)} d ${Math.round((ms % 86_400_000) / 3_600_000)} h`;
}
