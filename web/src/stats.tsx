// Numbers on cards, with the change to the period before.

import type { Answer, Column, Panel, Row } from "./api";
import { change, judged, large, words } from "./numbers";
import type { State } from "./state";

export function Stats({ panel, answer, earlier, state }: { panel: Panel; answer: Answer; earlier: Answer | null; state: State }) {
  const columns = panel.drawn.flatMap((name) => answer.columns.find((column) => column.name === name) ?? []);
  if (panel.by) return <ByKey panel={panel} answer={answer} earlier={earlier} state={state} columns={columns} />;
  const row = answer.rows[0] ?? {};
  return (
    <dl class="stats">
      {columns.map((column) => (
        <Stat key={column.name} name={words(column.name)} row={row} column={column} earlier={earlier?.rows[0] ?? null} state={state} />
      ))}
    </dl>
  );
}

/** A card for each currency: amounts of different ones are never added. */
function ByKey({ panel, answer, earlier, state, columns }: { panel: Panel; answer: Answer; earlier: Answer | null; state: State; columns: Column[] }) {
  const by = panel.by ?? "";
  const rows = [...answer.rows].sort((a, b) => Number(!a[by]) - Number(!b[by]));
  return (
    <dl class="stats">
      {rows.flatMap((row) => {
        const then = earlier?.rows.find((one) => one[by] === row[by]) ?? null;
        return columns
          .filter((column) => (column.unit === "currency") === Boolean(row[by]))
          .map((column) => (
            <Stat key={`${row[by]} ${column.name}`} name={row[by] ? `${words(column.name)}, ${row[by]}` : words(column.name)} row={row} column={column} earlier={then} state={state} />
          ));
      })}
    </dl>
  );
}

function Stat({ name, row, column, earlier, state }: { name: string; row: Row; column: Column; earlier: Row | null; state: State }) {
  const changed = change(row[column.name] ?? null, earlier?.[column.name] ?? null);
  return (
    <div>
      <dt>{name}</dt>
      <dd title={String(row[column.name] ?? "no value")} data-value={String(row[column.name] ?? "")}>
        {large(row, column, state.tz).map(({ text, isUnit }, place) => (isUnit ? <small key={place}>{text}</small> : text))}
      </dd>
      {changed && <Change changed={changed} name={column.name} />}
    </div>
  );
}

type Changed = { changed: NonNullable<ReturnType<typeof change>>; name: string };

/** The change to the period before, as a part of a list of definitions. */
export function Change({ changed, name }: Changed) {
  return (
    <dd class={`change ${changed.direction} ${judged(name, changed.direction)}`} title="to the period before, as long">
      <Said changed={changed} />
    </dd>
  );
}

export function Said({ changed }: Pick<Changed, "changed">) {
  const { direction, text } = changed;
  return (
    <>
      <span class="hidden">{direction === "down" ? "less than before by " : direction === "up" ? "more than before by " : "as before "}</span>
      {text}
    </>
  );
}
