// What was seen of product events lately: what names and properties are completed from.

import { useEffect, useState } from "preact/hooks";
import { get } from "./api";
import type { Option } from "./choice";
import { count } from "./numbers";

type Event = { name: string; events: number; last_seen: string };
export type Property = { path: string; events: number; kinds: Record<string, number>; examples: Record<string, string[]>; sentence?: string };

/** The names of events, the most frequent first. */
export function useSeenEvents(): Option[] {
  const [found, put] = useState<Option[]>([]);
  useEffect(() => {
    get<{ events: Event[] }>("/v1/events").then(
      ({ events }) => put(events.map(({ name, events: seen }) => ({ value: name, text: name, note: count(seen) }))),
      () => put([]),
    );
  }, []);
  return found;
}

const kinds = (of: Property): string =>
  Object.keys(of.kinds)
    .filter((kind) => kind !== "missing")
    .join(", ");

/** The properties that events of these names have. */
export function useSeenProperties(match: string[], source: string): { options: Option[] } {
  const [found, put] = useState<Option[]>([]);
  const names = [...new Set(match.filter(Boolean))].sort();
  useEffect(() => {
    const asking = new AbortController();
    Promise.all(names.map((name) => get<{ properties: Property[] }>(`/v1/events/properties?name=${encodeURIComponent(name)}`, asking.signal))).then(
      (answers) => {
        const byPath = new Map(answers.flatMap(({ properties }) => properties.map((one) => [one.path, one])));
        put([...byPath.values()].map((one) => ({ value: one.path, text: one.path, note: kinds(one) })));
      },
      () => asking.signal.aborted || put([]),
    );
    return () => asking.abort();
  }, [names.join("\n"), source]);
  return { options: found };
}
