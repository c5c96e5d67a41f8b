// What panels show: asked when it is wanted, and again when something newer can be seen.

import { useEffect, useState } from "preact/hooks";
import { type Answer, get, type Panel, Refused } from "./api";
import { type State, value } from "./state";

export type Found = { answer: Answer | null; refused: Refused | null; isWaiting: boolean };

/** The path of a panel's question; empty where it cannot be asked yet. */
export function question(panel: Panel, state: State, more: Record<string, string> = {}): string {
  const query = new URLSearchParams();
  const isByMonth = panel.columns.some((column) => column.name === "month");
  for (const [name, fixed] of Object.entries(panel.parameters)) {
    const given = more[name] ?? value(state, name, fixed, isByMonth);
    if (given) query.set(name, given);
  }
  return `/v1/views/${panel.view}?${query}`;
}

/** An answer, kept on the screen while a newer one is awaited. */
export function useAnswer(path: string, news: number): Found {
  const [found, put] = useState<Found & { path: string }>({ answer: null, refused: null, isWaiting: true, path: "" });
  useEffect(() => {
    if (!path) return;
    const asking = new AbortController();
    put((before) => ({ ...before, isWaiting: true }));
    get<Answer>(path, asking.signal).then(
      (answer) => put({ answer, refused: null, isWaiting: false, path }),
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

/** Counts up whenever a newer arrival can be seen; stands still while nobody looks. */
export function useNews(): number {
  const [news, put] = useState(0);
  useEffect(() => {
    let source: EventSource | null = null;
    let due = 0;
    const tell = () => {
      clearTimeout(due);
      due = window.setTimeout(() => put((count) => count + 1), 500);
    };
    const listen = () => {
      source?.close();
      source = null;
      if (document.hidden) return;
      source = new EventSource("/v1/live");
      source.addEventListener("fresh", tell);
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
  return news;
}

/** The range just before an answer's own, as long; null where it has none. */
export function before(answer: Answer): Record<string, string> | null {
  const { since, until } = answer.parameters;
  if (typeof since !== "string" || typeof until !== "string") return null;
  const [from, to] = [Date.parse(since), Date.parse(until)];
  if (Number.isNaN(from) || Number.isNaN(to)) return null;
  return { since: new Date(2 * from - to).toISOString(), until: since };
}
