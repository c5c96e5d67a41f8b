// The API: what it answers, and asking it. Nothing else here talks to a server.

export type Cell = string | number | null;
export type Row = Record<string, Cell>;
export type Column = { name: string; type: string; unit: string; /** In words, where it is no view's. */ heading?: string; currency?: string };
export type Fresh = { type: string; newest_event: string; newest_arrival: string };
export type Answer = {
  parameters: Record<string, string | number>;
  as_of: Fresh[];
  columns: Column[];
  rows: Row[];
  next: string | null;
};
export type Kind = "stat" | "line" | "bar" | "table";
export type Panel = {
  id: string;
  title: string;
  tab: string;
  tab_title: string;
  kind: Kind;
  view: string;
  parameters: Record<string, string>;
  columns: Column[];
  drawn: string[];
  x: string | null;
  by: string | null;
  rows: string[];
  width: number;
  height: number;
  scope: "all" | "tenant" | "token" | null;
  sentence: string;
};
export type Me = { user: string; name: string; role: string; scope: "*" | string[] };
export type Organization = { tenant: string; name: string };
export type Report = {
  id: string;
  status: "queued" | "running" | "done" | "failed";
  rows: number;
  file: string | null;
  file_name: string;
  error: string | null;
};

/** What was not answered: the API's own sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    sentence: string,
  ) {
    super(sentence);
  }
}

/** Numbers that a double does not hold stay as they were written. */
function exact(_key: string, value: unknown, context?: { source?: string }): unknown {
  const isUnsafe = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isUnsafe && context?.source ? context.source : value;
}

const AT_ONCE = 4;
const TRIES = 4;
const waiting: (() => void)[] = [];
let running = 0;

export const isAsking = (): boolean => running > 0;

/** Ask, a few at a time, as the API allows; who is told that it was too much asks again. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else running++;
  try {
    signal?.throwIfAborted();
    for (let left = TRIES; ; left--) {
      const response = await fetch(path, signal ? { signal } : {});
      if (response.status !== 429 || left === 0) return await read<T>(response);
      const seconds = Math.min(5, Number(response.headers.get("Retry-After") ?? "1"));
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      signal?.throwIfAborted();
    }
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return read<T>(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.ok) return JSON.parse(text, exact as (key: string, value: unknown) => unknown) as T;
  let sentence = response.statusText || `status ${response.status}`;
  try {
    sentence = (JSON.parse(text) as { detail: string }).detail;
  } catch {
    // not one of the API's own answers
  }
  throw new Refused(response.status, sentence);
}
