// What panels show: asked when it is wanted, and again when something newer can be seen.

import { useEffect, useState } from "preact/hooks";
import { type Answer, type Fresh, get, isAsking, type Panel, Refused } from "./api";
import { type State, value } from "./state";

export type Found<T = Answer> = { answer: T | null; refused: Refused | null; isWaiting: boolean };

/** By months, unless a range is chosen: not moved by a frame of days. */
export const isByMonth = (panel: Panel): boolean => panel.columns.some((column) => column.name === "month");

/** The path of a panel's question; empty where it cannot be asked yet. */
export function question(panel: Panel, state: State, more: Record<string, string> = {}): string {
  const query = new URLSearchParams();
  for (const [name, fixed] of Object.entries(panel.parameters)) {
    const given = more[name] ?? value(state, name, fixed, isByMonth(panel));
    if (given) query.set(name, given);
  }
  return `/v1/views/${panel.view}?${query}`;
}

/** An answer, kept on the screen while a newer one is awaited. */
export function useAnswer<T = Answer>(path: string, news: number): Found<T> {
  const [found, put] = useState<Found<T> & { path: string }>({ answer: null, refused: null, isWaiting: true, path: "" });
  useEffect(() => {
    if (!path) return;
    const asking = new AbortController();
    put((before) => (before.path === path ? before : { ...before, isWaiting: true }));
    get<T>(path, asking.signal).then(
      (answer) => asking.signal.aborted || put({ answer, refused: null, isWaiting: false, path }),
      (error: unknown) => {
        if (asking.signal.aborted) return;
        const refused = error instanceof Refused ? error : new Refused(0, "the API does not answer");
        put({ answer: null, refused, isWaiting: false, path });
      },
    );
    return () => asking.abort();
  }, [path, news]);
  return found;
}

const LATE_MS = 300;
const BETWEEN_MS = 2_000;

export type News = {
  /** Counts up when a newer arrival can be seen, not faster than answers come; stands still while nobody looks. */
  count: number;
  /** As of when everything is, as the API told it last; empty before it did. */
  asOf: Fresh[];
};

export function useNews(): News {
  const [news, put] = useState(0);
  const [asOf, note] = useState<Fresh[]>([]);
  useEffect(() => {
    let source: EventSource | null = null;
    let due = 0;
    let last = 0;
    const look = () => {
      if (isAsking()) return void (due = window.setTimeout(look, BETWEEN_MS));
      due = 0;
      last = Date.now();
      put((count) => count + 1);
    };
    const tell = () => {
      if (!due) due = window.setTimeout(look, Math.max(LATE_MS, last + BETWEEN_MS - Date.now()));
    };
    const listen = () => {
      source?.close();
      source = null;
      if (document.hidden) return;
      source = new EventSource("/v1/live");
      const heard = ({ data }: MessageEvent<string>) => note(JSON.parse(data) as Fresh[]);
      source.addEventListener("as_of", heard);
      source.addEventListener("fresh", (event) => (heard(event), tell()));
    };
    const looked = () => {
      if (!document.hidden) tell();
      listen();
    };
    listen();
    document.addEventListener("visibilitychange", looked);
    return () => {
      document.removeEventListener("visibilitychange", looked);
      clearTimeout(due);
      source?.close();
    };
  }, []);
  return { count: news, asOf };
}

/** The range just before an answer's own, as long; null where it has none. */
export function before(answer: Answer): Record<string, string> | null {
  const { since, until } = answer.parameters;
  if (typeof since !== "string" || typeof until !== "string") return null;
  const [from, to] = [Date.parse(since), Date.parse(until)];
  if (Number.isNaN(from) || Number.isNaN(to)) return null;
  return { since: new Date(2 * from - to).toISOString(), until: since };
}
