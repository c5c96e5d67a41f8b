// Charts are drawn one after the other, each in a task of its own: who types or scrolls waits for one at most.

import { useEffect, useRef, useState } from "preact/hooks";

type Charts = typeof import("./charts.js");
let loading: Promise<Charts> | null = null;

const rest = () => new Promise<void>((go) => setTimeout(go));

/** What draws charts; of its own file, so that numbers need not wait for it, and read in a task of its own. */
export const charts = (): Promise<Charts> => (loading ??= import("./charts.js").then((found) => rest().then(() => found)));

let last: Promise<void> = Promise.resolve();

/** Do it after what is waiting already. */
export function inTurn(work: () => Promise<unknown>): void {
  last = last.then(work).catch(reportError).then(rest);
}

/** A value, taken over from the page in a turn of its own: many that use it do not all change at once. */
export function useInTurn<T>(value: T): T {
  const [own, take] = useState(value);
  const isGone = useRef(false);
  useEffect(() => () => void (isGone.current = true), []);
  useEffect(() => {
    if (own !== value) inTurn(async () => isGone.current || take(value));
  }, [value]);
  return own;
}
