// Names with a number each: a list of bars, the longest first.

import type { Answer, Panel } from "./api";
import { shown } from "./numbers";
import type { State } from "./state";

export function Bars({ panel, answer, state }: { panel: Panel; answer: Answer; state: State }) {
  const column = answer.columns.find((one) => one.name === panel.drawn[0]);
  if (!column) return null;
  const rows = answer.rows
    .map((row) => ({ row, name: String(row[panel.x ?? ""]), value: Number(row[column.name] ?? 0) }))
    .sort((a, b) => b.value - a.value);
  const most = Math.max(1, rows[0]?.value ?? 1);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`${panel.title}, bars`}>
      <ol class="bars">
        {rows.map(({ row, name, value }, place) => (
          <li key={place} class={value === 0 ? "none" : ""}>
            <span class="meter" style={{ width: `${(100 * value) / most}%` }} />
            <span class="name">{name}</span>
            <b>{shown(row, column, state.tz)}</b>
          </li>
        ))}
      </ol>
    </div>
  );
}
