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

/** What was not answered: the API's own sentence, and what it is about. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    sentence: string,
    readonly parameter = "",
  ) {
    super(sentence);
  }
}

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

/** A number that a double may not hold: a reviver for every cell costs more than all the rest of reading. */
const WIDE = /[:[,]\s*-?\d{16,}/;

/** Numbers that a double does not hold stay as they were written. */
const exact: Reviver = (_key, value, context) => {
  const isUnsafe = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isUnsafe && context?.source ? context.source : value;
};

const AT_ONCE = 4;
const TRIES = 4;
const waiting: (() => void)[] = [];
let running = 0;

export const isAsking = (): boolean => running > 0;

type Asked = { method?: string; body?: string; headers?: Record<string, string>; signal?: AbortSignal; reviver?: Reviver };

/** Ask, a few at a time, as the API allows; who is told that it was too much asks again. */
export async function ask<T>(path: string, { reviver = exact, ...asked }: Asked = {}): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  else running++;
  try {
    asked.signal?.throwIfAborted();
    for (let left = TRIES; ; left--) {
      const response = await fetch(path, asked);
      if (response.status !== 429 || left === 0) return await read<T>(response, reviver);
      const seconds = Math.min(5, Number(response.headers.get("Retry-After") ?? "1"));
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      asked.signal?.throwIfAborted();
    }
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running--;
  }
}

type Shared = { answer: Promise<unknown>; asked: AbortController; readers: number };
const shared = new Map<string, Shared>();

/** Ask for a document; who asks for the same at the same time is given the same. */
export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const one = shared.get(path) ?? begin(path);
  one.readers++;
  signal?.addEventListener("abort", () => {
    if (--one.readers > 0) return;
    if (shared.get(path) === one) shared.delete(path);
    one.asked.abort();
  });
  return one.answer as Promise<T>;
}

function begin(path: string): Shared {
  const asked = new AbortController();
  const over = () => void (shared.get(path) === one && shared.delete(path));
  const one: Shared = { answer: ask(path, { signal: asked.signal }), asked, readers: 0 };
  one.answer.then(over, over);
  shared.set(path, one);
  return one;
}

export const post = <T>(path: string, body: unknown): Promise<T> =>
  ask<T>(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function parsed(text: string, reviver: Reviver): unknown {
  if (reviver === exact && !WIDE.test(text)) return JSON.parse(text);
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown);
}

async function read<T>(response: Response, reviver: Reviver): Promise<T> {
  const text = await response.text();
  if (response.ok) return (text ? parsed(text, reviver) : null) as T;
  try {
    const { detail, parameter } = JSON.parse(text) as { detail: string; parameter?: string };
    throw new Refused(response.status, detail, parameter);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(response.status, response.statusText || `status ${response.status}`); // not one of the API's own answers
  }
}
