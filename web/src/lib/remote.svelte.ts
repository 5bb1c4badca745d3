// What a page shows of the collector, asked for again at will, and what is done there.
import { told } from "./api";
import { say } from "./state.svelte";

export class Remote<T> {
  now = $state.raw<T | null>(null);
  trouble = $state("");
  readonly #ask: () => Promise<T>;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  load = async (): Promise<void> => {
    try {
      this.now = await this.#ask();
      this.trouble = "";
    } catch (error) {
      this.trouble = told(error);
    }
  };
}

/** Asks in an effect, and gives up when the effect ends: that is what it returns. */
export function asking<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  found: (answer: T) => void,
  failed: (error: unknown) => void,
): () => void {
  const giving = new AbortController();
  ask(giving.signal).then(found, failed);
  return () => giving.abort();
}

/** Does it, and says what came of it; whether it was done. */
export async function did(act: () => Promise<unknown>, words: string): Promise<boolean> {
  try {
    await act();
    if (words) say(words);
    return true;
  } catch (error) {
    say(told(error));
    return false;
  }
}

export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text).then(
    () => say("Copied."),
    () => say("The browser does not let this page copy."),
  );
}
