// Where the nodes of a graph stand: forces pull and push them in a thread of their own, so that the page never waits.
import { forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationNodeDatum } from "d3-force";

const PAUSE_MS = 40;

/** `links`: pairs of nodes by number. Positions are posted as x, y, x, y … until all is at rest. */
export interface Order {
  count: number;
  links: [number, number][];
}

addEventListener("message", ({ data: { count, links } }: MessageEvent<Order>) => {
  const nodes: SimulationNodeDatum[] = Array.from({ length: count }, () => ({}));
  const pulls = links.map(([source, target]) => ({ source, target }));
  const simulation = forceSimulation(nodes)
    .force("link", forceLink(pulls).distance(36))
    .force("apart", forceManyBody().strength(-55).theta(0.95).distanceMax(500))
    .force("x", forceX().strength(0.06))
    .force("y", forceY().strength(0.06))
    .stop();
  const work = () => {
    const until = performance.now() + PAUSE_MS;
    do simulation.tick();
    while (performance.now() < until && simulation.alpha() > simulation.alphaMin());
    const places = new Float32Array(nodes.flatMap(({ x, y }) => [x ?? 0, y ?? 0]));
    postMessage(places, { transfer: [places.buffer] });
    if (simulation.alpha() > simulation.alphaMin()) setTimeout(work, 0);
  };
  work();
});
