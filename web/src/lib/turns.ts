/** At most so many requests at once. A browser has six connections to a host: slow ones must leave some to the rest. */
export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async take<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    if (this.#free) this.#free -= 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      signal.throwIfAborted();
      return await ask();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
