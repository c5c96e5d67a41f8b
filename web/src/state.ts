// What is shown: in the URL's hash and nowhere else, so that a link shows the same to whoever may see it.

import { useEffect, useState } from "preact/hooks";

export const FRAMES = ["1h", "1d", "1w", "30d", "90d", "1y"] as const;
const GRAINS: Record<string, string> = { "1h": "minute", "1d": "hour", "1w": "day", "30d": "day", "90d": "week", "1y": "month" };

export type State = {
  tab: string;
  frame: string;
  since: string;
  until: string;
  grain: string;
  /** The zone as it was given: what the API is asked with, and says what is wrong with. */
  zone: string;
  /** The zone that times are shown in: that one, unless there is none of its name. */
  tz: string;
  tenant: string;
  token: string;
  customer: string;
  metric: string;
};

function isZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const hash = (): URLSearchParams => new URLSearchParams(location.hash.slice(1));

function read(): State {
  const given = hash();
  const text = (name: string) => given.get(name) ?? "";
  const tab = text("tab");
  const frame = text("frame") || (text("since") ? "" : tab === "requests" || tab === "" ? "1d" : "30d");
  return {
    tab,
    frame,
    since: text("since"),
    until: text("until"),
    grain: text("grain"),
    zone: text("tz") || own,
    tz: isZone(text("tz")) ? text("tz") : own,
    tenant: text("tenant"),
    token: text("token"),
    customer: text("customer"),
    metric: text("metric"),
  };
}

/** The hash with some of it changed; what is empty is left out, and with another tab what belongs to this one's panels. */
export function link(changes: Partial<State>): string {
  const next = hash();
  if (changes.tab && changes.tab !== next.get("tab")) {
    for (const name of [...next.keys()]) if (name.includes(".") || name === "metric") next.delete(name);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  return `#${next}`;
}

export function go(changes: Partial<State>): void {
  location.hash = link(changes);
}

function useHash<T>(of: () => T): T {
  const [found, put] = useState(of);
  useEffect(() => {
    const changed = () => put(of());
    changed();
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return found;
}

export function useUrl(): State {
  return useHash(read);
}

/** A link to the same, with parts of one panel set. */
export function linkPart(panel: string, parts: Record<string, string>): string {
  const next = hash();
  for (const [name, value] of Object.entries(parts)) {
    if (value) next.set(`${panel}.${name}`, value);
    else next.delete(`${panel}.${name}`);
  }
  return `#${next}`;
}

/** How one panel is shown (what it is sorted by, searched for): a part of the URL that is no step back. */
export function usePart(panel: string, part: string, fallback = ""): [string, (value: string) => void] {
  const name = `${panel}.${part}`;
  const found = useHash(() => hash().get(name) ?? fallback);
  return [
    found,
    (value) => {
      const next = hash();
      if (value === fallback) next.delete(name);
      else next.set(name, value);
      history.replaceState(null, "", `#${next}`);
      dispatchEvent(new HashChangeEvent("hashchange"));
    },
  ];
}

/** The value of a panel's parameter: its own, or that of the filter it names; empty: the default. */
export function value(state: State, parameter: string, fixed: string, isByMonth: boolean): string {
  if (!fixed.startsWith("$")) return fixed;
  const chosen = Boolean(state.since);
  switch (parameter) {
    case "since":
      return chosen ? state.since : isByMonth ? "" : state.frame;
    case "until":
      return chosen ? state.until || "now" : isByMonth ? "" : "now";
    case "as_of":
      return chosen && state.until && Date.parse(state.until) < Date.now() ? state.until : "now";
    case "grain":
      return state.grain || (chosen ? "" : GRAINS[state.frame] ?? "");
    case "tz":
      return state.zone;
    case "tenant":
      return state.tab === "customer" ? state.customer : state.tenant;
    case "token":
      return state.token;
    default:
      return "";
  }
}
