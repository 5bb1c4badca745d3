// Reading session documents: nested objects, lists of them, and dotted names.
export type Document = Record<string, unknown>;
export type Value = string | number | boolean;

/** All values at a dotted name, through lists and lists of objects. */
export function values(inner: unknown, name: string): Value[] {
  if (Array.isArray(inner)) return inner.flatMap((each) => values(each, name));
  if (name === "") return inner === undefined || inner === null || typeof inner === "object" ? [] : [inner as Value];
  if (inner === null || typeof inner !== "object") return [];
  return Object.entries(inner).flatMap(([key, each]) => {
    if (key === name) return values(each, "");
    return name.startsWith(`${key}.`) ? values(each, name.slice(key.length + 1)) : [];
  });
}

/** The objects of a list that a document has at a name of its own. */
export function objects(document: Document, name: string): Document[] {
  const found = document[name];
  return Array.isArray(found) ? (found as Document[]) : [];
}

export function value(document: Document, name: string): Value | undefined {
  return values(document, name)[0];
}

export function amount(document: Document, name: string): number {
  const found = value(document, name);
  return typeof found === "number" ? found : 0;
}

export interface Row {
  name: string;
  values: Value[];
}

/** The leaves of a document in order, lists of objects numbered from 1. */
export function flat(inner: Document, prefix = ""): Row[] {
  return Object.entries(inner).flatMap(([key, each]) => {
    const name = prefix + key;
    if (Array.isArray(each) && each.some((one) => one && typeof one === "object")) {
      return each.flatMap((one, index) => flat({ [String(index + 1)]: one }, `${name}.`));
    }
    if (each && typeof each === "object" && !Array.isArray(each)) return flat(each as Document, `${name}.`);
    return [{ name, values: (Array.isArray(each) ? each : [each]).filter((one) => one !== null) as Value[] }];
  });
}
