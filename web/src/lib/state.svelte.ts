// What the whole page shares: who is here, the catalogue of fields, the question asked, the open menu.
import { get, type Schemas } from "./api";
import type { Value } from "./document";
import { parameter } from "./router.svelte";
import { length } from "./times";

export type Person = NonNullable<Schemas["AuthAnswer"]["person"]>;
export interface Field {
  expression: string;
  document: string;
  group: string;
  kind: string;
  multi: boolean;
  help: string;
  any_of: string[];
}

export const ROLES: readonly string[] = ["shared", "viewer", "packets", "tagger", "admin"];

export const who = $state<{ auth: Schemas["AuthAnswer"] | null }>({ auth: null });
export const catalogue = $state<{ fields: Field[]; byDocument: Map<string, Field>; byName: Map<string, Field> }>({
  fields: [],
  byDocument: new Map(),
  byName: new Map(),
});
export const menu = $state<{ open: { field: string; value: Value; x: number; y: number } | null }>({ open: null });
export const notice = $state<{ text: string }>({ text: "" });

export function may(role: string): boolean {
  return ROLES.indexOf(who.auth?.person?.role ?? "") >= ROLES.indexOf(role);
}

export async function loadFields(): Promise<void> {
  if (catalogue.fields.length) return;
  const items = (await get<{ items: Field[] }>("/api/fields")).items;
  catalogue.byDocument = new Map(items.map((each) => [each.document, each]));
  catalogue.byName = new Map(items.map((each) => [each.expression, each]));
  catalogue.fields = items;
}

/** A field's name in expressions, of its name in documents or its own. */
export function fieldName(name: string): string {
  return catalogue.byDocument.get(name)?.expression ?? name;
}

let clearing = 0;
export function say(text: string): void {
  notice.text = text;
  clearTimeout(clearing);
  clearing = setTimeout(() => {
    notice.text = "";
  }, 5000);
}

/** The question in the address as the API takes it; times that are relative count from now. */
export function question(): { expression: string; from?: number; to?: number } {
  const ago = length(parameter("last"));
  const [from, to] = [Number(parameter("from")), Number(parameter("to"))];
  return {
    expression: parameter("expression"),
    ...(ago ? { from: Date.now() - ago } : from ? { from } : {}),
    ...(!ago && to ? { to } : {}),
  };
}
