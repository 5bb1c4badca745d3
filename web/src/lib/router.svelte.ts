// Where the page is: the address is the whole state, so that it is the permalink.
export const here = $state({ path: location.pathname, query: location.search, hash: location.hash });

function look(): void {
  here.path = location.pathname;
  here.query = location.search;
  here.hash = location.hash;
}

export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  look();
}

/** The same page with other parameters; empty ones are left out. */
export function change(parameters: Record<string, string>, replace = false): void {
  const query = new URLSearchParams(here.query);
  for (const [name, value] of Object.entries(parameters)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  if (text === new URLSearchParams(here.query).toString()) return;
  go(here.path + (text ? `?${text}` : ""), replace);
}

export function parameter(name: string): string {
  return new URLSearchParams(here.query).get(name) ?? "";
}

/** A parameter that holds several names. */
export function listed(name: string): string[] {
  return parameter(name).split(",").filter(Boolean);
}

/** The parameters that say which sessions are meant. */
export const QUESTION: readonly string[] = ["expression", "last", "from", "to"];

const OURS = /^\/(?!api\/|static\/|metrics|healthz|readyz)/;

function clicked(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link || link.target || link.download || link.origin !== location.origin || !OURS.test(link.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
  scrollTo(0, 0);
}

addEventListener("popstate", look);
addEventListener("hashchange", look);
document.addEventListener("click", clicked);
