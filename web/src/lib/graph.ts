// Draws a graph of thousands of nodes: few strokes of many lines each, and names only where there is room.
import type { Schemas } from "./api";
import { colour } from "./scheme.svelte";
import { cut, visible } from "./text";
import type { Weight } from "./weight";

type Node = Schemas["GraphNode"];
export interface View {
  x: number;
  y: number;
  scale: number;
}

const TURN = 2 * Math.PI;
const SIDES: [Node["side"], string][] = [
  ["source", "out"],
  ["destination", "in"],
  ["both", "accent"],
];
const WIDTHS = [0.6, 1.4, 2.8];
const MOST_NAMES = 90;

/** A graph as numbers: links by the numbers of their ends, how thick these are, how large the nodes. */
export class Net {
  readonly nodes: Node[];
  readonly links: [number, number][];
  readonly #thick: number[];
  readonly #radius: number[];
  readonly #beside: Set<number>[];
  places: Float32Array;

  constructor(graph: Schemas["Graph"], weight: Weight) {
    this.nodes = graph.nodes;
    const at = new Map(graph.nodes.map((node, index) => [node.value, index]));
    this.links = graph.links.map((link) => [at.get(link.source) ?? 0, at.get(link.destination) ?? 0]);
    const heaviest = Math.log1p(Math.max(1, ...graph.links.map((link) => link[weight])));
    this.#thick = graph.links.map((link) => Math.min(2, Math.floor((3 * Math.log1p(link[weight])) / heaviest)));
    const largest = Math.log1p(Math.max(1, ...graph.nodes.map((node) => node[weight])));
    this.#radius = graph.nodes.map((node) => 3 + (7 * Math.log1p(node[weight])) / largest);
    this.#beside = graph.nodes.map(() => new Set());
    for (const [one, other] of this.links) {
      this.#beside[one]?.add(other);
      this.#beside[other]?.add(one);
    }
    this.places = new Float32Array(2 * graph.nodes.length);
  }

  x = (node: number): number => this.places[2 * node] ?? 0;
  y = (node: number): number => this.places[2 * node + 1] ?? 0;

  /** What shows all of it. */
  fit(width: number, height: number): View {
    let [left, right, top, bottom] = [0, 1, 0, 1];
    for (let node = 0; node < this.nodes.length; node += 1) {
      [left, right] = [Math.min(left, this.x(node)), Math.max(right, this.x(node))];
      [top, bottom] = [Math.min(top, this.y(node)), Math.max(bottom, this.y(node))];
    }
    const scale = Math.min(2, (width - 120) / (right - left), (height - 70) / (bottom - top));
    return { scale, x: width / 2 - (scale * (left + right)) / 2, y: height / 2 - (scale * (top + bottom)) / 2 };
  }

  /** The node under a place of the canvas, -1 for none. */
  under(view: View, x: number, y: number): number {
    let [nearest, least] = [-1, 14];
    for (let node = 0; node < this.nodes.length; node += 1) {
      const far = Math.hypot(view.x + view.scale * this.x(node) - x, view.y + view.scale * this.y(node) - y);
      if (far < least && far < (this.#radius[node] ?? 3) + 6) [nearest, least] = [node, far];
    }
    return nearest;
  }

  draw(pen: CanvasRenderingContext2D, width: number, height: number, view: View, pointed: number): void {
    pen.clearRect(0, 0, width, height);
    const lit = pointed < 0 ? null : new Set([pointed, ...(this.#beside[pointed] ?? [])]);
    this.#drawLinks(pen, view, pointed);
    for (const [side, name] of SIDES) {
      pen.fillStyle = colour(name);
      this.#dots(pen, view, 0.25, (node) => this.nodes[node]?.side === side && lit !== null && !lit.has(node));
      this.#dots(pen, view, 1, (node) => this.nodes[node]?.side === side && (lit === null || lit.has(node)));
    }
    this.#drawNames(pen, width, height, view, lit);
  }

  #drawLinks(pen: CanvasRenderingContext2D, view: View, pointed: number): void {
    for (const [thick, size] of WIDTHS.entries()) {
      for (const lit of [false, true]) {
        if (lit && pointed < 0) continue;
        pen.beginPath();
        this.links.forEach(([one, other], link) => {
          if (this.#thick[link] !== thick || (pointed >= 0 && (one === pointed || other === pointed)) !== lit) return;
          pen.moveTo(view.x + view.scale * this.x(one), view.y + view.scale * this.y(one));
          pen.lineTo(view.x + view.scale * this.x(other), view.y + view.scale * this.y(other));
        });
        pen.strokeStyle = colour(lit ? "accent" : "dim");
        pen.globalAlpha = lit ? 0.9 : pointed < 0 ? 0.4 : 0.12;
        pen.lineWidth = size;
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  #dots(pen: CanvasRenderingContext2D, view: View, alpha: number, wanted: (node: number) => boolean): void {
    pen.beginPath();
    for (let node = 0; node < this.nodes.length; node += 1) {
      if (!wanted(node)) continue;
      const [x, y] = [view.x + view.scale * this.x(node), view.y + view.scale * this.y(node)];
      const radius = (this.#radius[node] ?? 3) * Math.min(1.2, Math.max(0.35, view.scale));
      pen.moveTo(x + radius, y);
      pen.arc(x, y, radius, 0, TURN);
    }
    pen.globalAlpha = alpha;
    pen.fill();
    pen.globalAlpha = 1;
  }

  /** The largest first, each only where none stands yet. */
  #drawNames(pen: CanvasRenderingContext2D, width: number, height: number, view: View, lit: Set<number> | null): void {
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 3;
    pen.strokeStyle = colour("panel");
    pen.fillStyle = colour("text");
    const taken: [number, number, number][] = [];
    for (const node of lit ?? this.nodes.keys()) {
      if (taken.length === MOST_NAMES) return;
      const x = view.x + view.scale * this.x(node) + (this.#radius[node] ?? 3) + 3;
      const y = view.y + view.scale * this.y(node) + 4;
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const name = cut(visible(this.nodes[node]?.value ?? ""), 32);
      const end = x + 6.2 * name.length + 6;
      if (taken.some(([left, right, line]) => x < right && end > left && Math.abs(y - line) < 14)) continue;
      taken.push([x, end, y]);
      pen.strokeText(name, x, y);
      pen.fillText(name, x, y);
    }
  }
}
