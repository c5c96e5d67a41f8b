// What one metric of a customer is made of: its greatest values by a property that the reader chooses.

import { Choice } from "./choice";
import type { Panel } from "./api";
import { Card } from "./panel";
import { useSeenProperties } from "./seen";
import { type State, usePart } from "./state";

const MOST = "10";

type Props = {
  panel: Panel;
  state: State;
  news: number;
  names: Map<string, string>;
  /** What the metric is called, and the events whose properties are suggested, where the reader may see them. */
  name: string;
  match: string[];
};

export function Breakdown({ panel, state, news, names, name, match }: Props) {
  const [property, by] = usePart(panel.id, "by");
  const { options } = useSeenProperties(match, "events");
  const title = `What “${name}” is made of`;
  const choice = <Choice label="By property" value={property} options={options} choose={by} isFree isShown placeholder="Choose a property" size={20} />;
  if (property) {
    const drawn = { ...panel, title: `${title}, the greatest`, kind: "bar" as const, x: "key", drawn: ["value"], width: 24 };
    return <Card panel={drawn} state={state} news={news} names={names} more={{ metric: state.metric, property, k: MOST }} beside={choice} />;
  }
  return (
    <section class="card width-24" aria-labelledby={panel.id} data-panel={panel.id}>
      <header>
        <h2 id={panel.id}>{title}</h2>
      </header>
      <div class="narrow">{choice}</div>
      <p class="muted">Counts and sums are broken down by any property of their events: its values that are most of the metric.</p>
    </section>
  );
}
