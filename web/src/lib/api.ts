// The one way to the collector: JSON in, JSON out, every refusal an ApiFailure.
import type { components } from "./openapi";

export type Schemas = components["schemas"];
export type Parameters = Record<string, string | number | boolean | undefined | null>;

export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string;
  readonly column: number | null;
  readonly found: string;
  readonly similar: string[];
  readonly hint: string;

  constructor(status: number, told: Partial<Schemas["ErrorBody"]>) {
    super(told.message ?? `the collector answered ${status}`);
    this.status = status;
    this.code = told.code ?? "error";
    this.column = told.column ?? null;
    this.found = told.found ?? "";
    this.similar = told.did_you_mean ?? [];
    this.hint = told.hint ?? "";
  }
}

let onStranger: () => void = () => {};

/** What to do when the collector does not know who asks. */
export function whenStranger(act: () => void): void {
  onStranger = act;
}

export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export async function failure(answer: Response): Promise<ApiFailure> {
  const body = (await answer.json().catch(() => ({}))) as Partial<Schemas["ErrorAnswer"]>;
  return new ApiFailure(answer.status, body.error ?? {});
}

async function ask(path: string, options: RequestInit): Promise<Response> {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  if (answer.ok) return answer;
  if (answer.status === 401 && !path.startsWith("/api/auth")) onStranger();
  throw await failure(answer);
}

export async function get<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  return (await ask(address(path, parameters), signal ? { signal } : {})).json() as Promise<T>;
}

export async function send<T>(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask(path, body === undefined ? { method } : { method, headers, body: JSON.stringify(body) });
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Words for a person, of whatever went wrong; empty when the question was given up. */
export function told(error: unknown): string {
  if (error instanceof DOMException && error.name === "AbortError") return "";
  if (error instanceof TypeError) return "The collector does not answer.";
  return error instanceof Error ? error.message : String(error);
}
