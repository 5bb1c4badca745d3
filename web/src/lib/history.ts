// Expressions asked before, on this browser.
const KEY = "hayrick.history";
const MOST = 60;

export function recent(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each): each is string => typeof each === "string") : [];
  } catch {
    return [];
  }
}

export function remember(expression: string): void {
  if (!expression || expression.length > 5000) return;
  const others = recent().filter((each) => each !== expression);
  localStorage.setItem(KEY, JSON.stringify([expression, ...others].slice(0, MOST)));
}
