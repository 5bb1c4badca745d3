// Expressions made by clicking.
import type { Value } from "./document";

const PLAIN = /^[^\s()[\]"&|,!<>=\\*?/$][^\s()[\]"&|,!<>=\\*?]*$/;

/** How a value that means itself is typed. */
export function written(value: Value): string {
  const text = String(value);
  return PLAIN.test(text) ? text : `"${text.replace(/([\\"*?])/g, "\\$1")}"`;
}

export function clause(field: string, operator: "==" | "!=", value: Value): string {
  return `${field} ${operator} ${written(value)}`;
}

export function exists(field: string, there = true): string {
  return `${field} ${there ? "==" : "!="} EXISTS!`;
}

/** One condition more; what holds an "or" already goes in parentheses. */
export function and(expression: string, more: string): string {
  const before = expression.trim();
  if (!before) return more;
  if (before === more || before.endsWith(` && ${more}`)) return before;
  return /\|\|/.test(before) ? `(${before}) && ${more}` : `${before} && ${more}`;
}

/** Any of these sessions. */
export function anyOf(ids: readonly string[]): string {
  return ids.length === 1 ? clause("id", "==", ids[0] ?? "") : `id == [${ids.map(written).join(",")}]`;
}
