// Column widths and the columns last chosen, on this browser.
const WIDTHS = "hayrick.widths";
const COLUMNS = "hayrick.columns";

export function kept(): Record<string, number> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(WIDTHS) ?? "{}");
    const entries = found && typeof found === "object" ? Object.entries(found) : [];
    return Object.fromEntries(entries.filter(([, width]) => typeof width === "number" && width >= 48 && width < 4000));
  } catch {
    return {};
  }
}

export function keep(widths: Record<string, number>): void {
  localStorage.setItem(WIDTHS, JSON.stringify(widths));
}

export function keptColumns(): string[] {
  return (localStorage.getItem(COLUMNS) ?? "").split(",").filter(Boolean);
}

export function keepColumns(names: string[]): void {
  localStorage.setItem(COLUMNS, names.join(","));
}
