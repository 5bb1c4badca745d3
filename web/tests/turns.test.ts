import { expect, test } from "vitest";
import { Turns } from "../src/lib/turns";

test("no more are asked at once than may be, and one that is given up is not asked", async () => {
  const turns = new Turns(2);
  const open: (() => void)[] = [];
  const asked: string[] = [];
  const ask = (name: string, signal = new AbortController().signal) =>
    turns.take(signal, () => {
      asked.push(name);
      return new Promise<string>((done) => open.push(() => done(name)));
    });
  const given = new AbortController();
  const [a, b, c, d] = [ask("a"), ask("b"), ask("c", given.signal), ask("d")];
  expect(asked).toEqual(["a", "b"]);
  given.abort();
  open[0]?.();
  expect(await a).toBe("a");
  await expect(c).rejects.toThrow();
  expect(asked).toEqual(["a", "b", "d"]);
  open[1]?.();
  open[2]?.();
  expect([await b, await d]).toEqual(["b", "d"]);
});
