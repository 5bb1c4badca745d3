import { describe, expect, test } from "vitest";
import { and, anyOf, clause, written } from "../src/lib/clause";
import { flat, values } from "../src/lib/document";
import { stacked } from "../src/lib/stack";
import { bytes, visible, visibleLines } from "../src/lib/text";
import { interval, ticks } from "../src/lib/times";

describe("text from packets", () => {
  test("controls, overrides and half surrogates are shown by their code", () => {
    expect(visible("a\u202eb\u0000\u001b[31m\ud800")).toBe("a\\u{202e}b\\u{0}\\u{1b}[31m\\u{d800}");
    expect(visible("<script>äß漢</script>")).toBe("<script>äß漢</script>");
  });
  test("lines and tabs stay where lines are shown", () => {
    expect(visibleLines("a\r\n\tb\u0007")).toBe("a\n\tb\\u{7}");
  });
});

describe("conditions made by clicking", () => {
  test("a value is quoted where it must be, with its wildcards escaped", () => {
    expect(written("10.0.0.1")).toBe("10.0.0.1");
    expect(written('a "*" b?')).toBe('"a \\"\\*\\" b\\?"');
    expect(written("/regex/")).toBe('"/regex/"');
    expect(written("$list")).toBe('"$list"');
    expect(written("")).toBe('""');
  });
  test("one more condition does not change what was asked before", () => {
    expect(and("a == 1 || b == 2", clause("c", "!=", 3))).toBe("(a == 1 || b == 2) && c != 3");
    expect(and("a == 1", "a == 1")).toBe("a == 1");
    expect(and(" ", "a == 1")).toBe("a == 1");
  });
  test("chosen sessions are a list of ids", () => {
    expect(anyOf(["a-1"])).toBe("id == a-1");
    expect(anyOf(["a-1", "b-2"])).toBe("id == [a-1,b-2]");
  });
});

describe("documents", () => {
  const document = { id: "x", dns: [{ host: ["a", "b"] }, { host: "c" }], source: { ip: "::1" }, "x.y": 1 };
  test("values are found through lists and dotted names", () => {
    expect(values(document, "dns.host")).toEqual(["a", "b", "c"]);
    expect(values(document, "x.y")).toEqual([1]);
    expect(values(document, "none.at.all")).toEqual([]);
  });
  test("leaves are listed in order, lists of objects by number", () => {
    expect(flat(document).map((row) => row.name)).toEqual(["id", "dns.1.host", "dns.2.host", "source.ip", "x.y"]);
  });
});

describe("histograms", () => {
  const range = { from: 1000, to: 2999 };
  test("layers end at the total, with a rest for what has no value", () => {
    const { x, layers } = stacked(
      range,
      1000,
      [{ start: 1000, value: 10 }],
      [
        { start: 1000, value: 2, split: "b" },
        { start: 1000, value: 5, split: "a" },
      ],
    );
    expect(x).toEqual([1000, 2000]);
    expect(layers.map((each) => [each.name, each.top[0]])).toEqual([
      ["a", 5],
      ["b", 7],
      ["others", 10],
    ]);
  });
  test("sessions with several values do not rise above the total", () => {
    const parts = ["a", "b"].map((split) => ({ start: 1000, value: 10, split }));
    expect(stacked(range, 1000, [{ start: 1000, value: 10 }], parts).layers.at(-1)?.top[0]).toBe(10);
  });
  test("marks are as short as tells them apart", () => {
    expect(ticks([0, 500])).toEqual(["01-01", "00:00:00.500"]);
    expect(ticks([6e4, 12e4])).toEqual(["00:01", "00:02"]);
    expect(ticks([0, 864e5])).toEqual(["1970-01-01", "1970-01-02"]);
  });
  test("intervals are round and few", () => {
    expect(interval({ from: 0, to: 864e5 })).toBe(6e5);
    expect(interval({ from: 0, to: 1 })).toBe(1);
  });
});

test("amounts are short", () => {
  expect([0, 999, 1500, 2_000_000].map(bytes)).toEqual(["0 B", "999 B", "1.5 kB", "2.0 MB"]);
});
