// What values are ordered and drawn by: the address's `by`, and how an amount of it is written.
import { parameter } from "./router.svelte";
import { bytes, number } from "./text";

export type Weight = "sessions" | "packets" | "bytes";
export const WEIGHTS: readonly Weight[] = ["sessions", "packets", "bytes"];

export const weighed = (): Weight => WEIGHTS.find((each) => each === parameter("by")) ?? "sessions";
export const amount = (weight: Weight, count: number): string => (weight === "bytes" ? bytes(count) : number(count));
