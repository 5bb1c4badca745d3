// Buckets of a histogram as layers that stand on each other.
import type { Range } from "./times";

export interface Bucket {
  start: number;
  value: number;
  split?: string | number | boolean | null;
}

export interface Layer {
  name: string;
  rest: boolean;
  value: number[];
  top: number[];
}

export interface Stack {
  x: number[];
  layers: Layer[];
}

/** One layer a value of the split, the largest below; what a session has of several values may overlap, then the
 * layers are scaled to the total; what has none is the rest. */
export function stacked(range: Range, step: number, totals: Bucket[], parts: Bucket[]): Stack {
  const first = Math.floor(range.from / step) * step;
  const columns = Math.min(Math.floor((range.to - first) / step) + 1, 2000);
  const x = Array.from({ length: columns }, (_, index) => first + index * step);
  const at = (start: number) => Math.round((start - first) / step);
  const total = new Array<number>(columns).fill(0);
  for (const each of totals) {
    const index = at(each.start);
    if (index >= 0 && index < columns) total[index] = each.value;
  }
  const named = new Map<string, number[]>();
  for (const each of parts) {
    const [index, name] = [at(each.start), String(each.split)];
    if (index < 0 || index >= columns) continue;
    const values = named.get(name) ?? new Array<number>(columns).fill(0);
    values[index] = each.value;
    named.set(name, values);
  }
  return { x, layers: layered(named, total) };
}

function layered(named: Map<string, number[]>, total: number[]): Layer[] {
  const sum = (values: number[]) => values.reduce((all, each) => all + each, 0);
  const layers = [...named]
    .sort((a, b) => sum(b[1]) - sum(a[1]))
    .map(([name, value]) => ({ name, rest: false, value }));
  const known = total.map((_, index) => layers.reduce((all, each) => all + (each.value[index] ?? 0), 0));
  const rest = total.map((all, index) => Math.max(0, all - (known[index] ?? 0)));
  if (!layers.length || sum(rest) > 0)
    layers.push({ name: layers.length ? "others" : "all", rest: layers.length > 0, value: rest });
  const below = new Array<number>(total.length).fill(0);
  return layers.map((layer) => ({
    ...layer,
    top: layer.value.map((value, index) => {
      const scale = Math.min(1, (total[index] ?? 0) / Math.max(known[index] ?? 0, 1));
      below[index] = (below[index] ?? 0) + value * (layer.rest ? 1 : scale);
      return below[index] ?? 0;
    }),
  }));
}
