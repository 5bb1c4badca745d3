// Light or dark: the system's choice until somebody chooses.
const KEY = "hayrick.scheme";
const system = matchMedia("(prefers-color-scheme: dark)");
const kept = () => localStorage.getItem(KEY);

export const scheme = $state<{ now: "light" | "dark" }>({ now: "light" });

function apply(): void {
  const chosen = kept();
  scheme.now = chosen === "dark" || chosen === "light" ? chosen : system.matches ? "dark" : "light";
  document.documentElement.dataset.scheme = scheme.now;
}

export function turn(): void {
  localStorage.setItem(KEY, scheme.now === "dark" ? "light" : "dark");
  apply();
}

/** A colour of the present scheme, for canvases. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Colours that stay apart, also for the colour-blind (after Okabe and Ito), light enough or dark enough for both. */
export const SERIES = [
  "#d29a2c",
  "#3b82c4",
  "#3d9970",
  "#c0563c",
  "#8e6bbf",
  "#6b9e2f",
  "#c2679d",
  "#3fa7b5",
  "#8a7f6d",
  "#a5853f",
];
export const REST = "#9b9890";

system.addEventListener("change", apply);
apply();
