// The tab of definitions: every metric that customers have, and the editor of one.

import { useEffect, useState } from "preact/hooks";
import { ask, Refused } from "./api";
import { Editor } from "./editor";
import { type Definition, draftOf, reviver, sentence } from "./metric";
import { ago } from "./numbers";
import { Why } from "./panel";
import { go, link, type State } from "./state";

export type Definitions = { list: Definition[] | null; refused: Refused | null; again: () => void };

/** The definitions in force, for who may see them. */
export function useDefinitions(may: boolean): Definitions {
  const [found, put] = useState<{ list: Definition[] | null; refused: Refused | null }>({ list: null, refused: null });
  const [turn, again] = useState(0);
  useEffect(() => {
    if (!may) return;
    ask<{ metrics: Definition[] }>("/v1/metrics", { reviver }).then(
      ({ metrics }) => put({ list: metrics, refused: null }),
      (error: unknown) => put({ list: null, refused: error instanceof Refused ? error : new Refused(0, "the API does not answer") }),
    );
  }, [may, turn]);
  return { ...found, again: () => again((count) => count + 1) };
}

export function Metrics({ definitions, names, state }: { definitions: Definitions; names: Map<string, string>; state: State }) {
  const [told, tell] = useState("");
  const { list, refused } = definitions;
  const saved = (message: string) => {
    tell(message);
    definitions.again();
    go({ metric: "" });
  };
  if (refused) return <Why refused={refused} />;
  if (list === null) return <section class="card width-24" aria-busy="true" aria-label="Metrics" />;
  const chosen = list.find((one) => one.metric_id === state.metric) ?? null;
  if (state.metric && (chosen || state.metric === "new")) return <Editor key={state.metric} of={chosen} names={names} saved={saved} />;
  return (
    <section class="card width-24 definitions" aria-labelledby="metrics" data-panel="metrics">
      <header>
        <h2 id="metrics">Usage metrics</h2>
        <a class="primary button" href={link({ metric: "new" })}>
          Add usage metric
        </a>
      </header>
      <p role="status" class={told ? "told" : "hidden"}>
        {told} {told && <a href={link({ tab: "customers", metric: "" })}>See it in the list of customers</a>}
      </p>
      {list.length === 0 ? (
        <div class="empty">
          <p>No usage metrics yet</p>
          <p>Count what your customers do, or sum what they use: defined once, it is a column for each of them, the past included.</p>
        </div>
      ) : (
        <ul>
          {list.map((one) => (
            <li key={one.metric_id}>
              <a href={link({ metric: one.metric_id })}>{one.name}</a>
              <span>{sentence(draftOf(one))}</span>
              <small>
                version {one.version}, {ago(one.defined_at)}
              </small>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
