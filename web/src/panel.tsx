// One panel: its question, and the answer as numbers, a chart or a table.

import { useEffect, useRef, useState } from "preact/hooks";
import { before, question, useAnswer } from "./answers";
import type { Answer, Column, Panel, Refused, Row } from "./api";
import { type Chart, chart, type Drawing } from "./charts.js";
import { ago, bucket, change, large, short, shown, words } from "./numbers";
import { go, type State } from "./state";
import { Table } from "./table";

export function Card({ panel, state, news }: { panel: Panel; state: State; news: number }) {
  const path = question(panel, state);
  const { answer, refused, isWaiting } = useAnswer(path, news);
  const [isTable, toggle] = useState(false);
  const isChart = panel.kind === "line" || panel.kind === "bar";
  return (
    <section class={`card width-${panel.width} height-${panel.height}`} aria-labelledby={panel.id} aria-busy={isWaiting} data-panel={panel.id}>
      <header>
        <h2 id={panel.id} title={panel.sentence}>
          {panel.title}
        </h2>
        <span class="tools">
          {isChart && (
            <button type="button" aria-pressed={isTable} onClick={() => toggle(!isTable)}>
              Table
            </button>
          )}
          <a href={`${path}&format=csv`} download aria-label={`${panel.title} as CSV`}>
            CSV
          </a>
        </span>
      </header>
      {refused ? (
        <Why refused={refused} />
      ) : !answer ? (
        <p class="waiting">…</p>
      ) : isEmpty(panel, answer) ? (
        <Empty answer={answer} />
      ) : panel.kind === "stat" ? (
        <Stats panel={panel} answer={answer} state={state} news={news} />
      ) : panel.kind === "table" || isTable ? (
        <Table panel={panel} answer={answer} state={state} isWhole={isTable} />
      ) : (
        <Drawn panel={panel} answer={answer} state={state} />
      )}
    </section>
  );
}

function isEmpty(panel: Panel, answer: Answer): boolean {
  if (answer.rows.length === 0) return true;
  const isChart = panel.kind === "line" || panel.kind === "bar";
  return isChart && answer.rows.every((row) => panel.drawn.every((name) => !Number(row[name] ?? 0)));
}

function Why({ refused }: { refused: Refused }) {
  const whom = refused.status === 403 ? " An administrator of your organization can grant it." : "";
  return (
    <p role="alert" class="why">
      {refused.message}.{whom}
    </p>
  );
}

function Empty({ answer }: { answer: Answer }) {
  const newest = answer.as_of.map((one) => one.newest_arrival).sort().at(-1);
  return <p class="empty">Nothing in this period{newest ? `; what was counted last came ${ago(newest)}` : ": nothing was counted yet"}.</p>;
}

function Stats({ panel, answer, state, news }: { panel: Panel; answer: Answer; state: State; news: number }) {
  const range = before(answer);
  const previous = useAnswer(range ? question(panel, state, range) : "", news).answer;
  const columns = panel.drawn.flatMap((name) => answer.columns.find((column) => column.name === name) ?? []);
  if (panel.by) return <ByKey panel={panel} answer={answer} previous={previous} state={state} columns={columns} />;
  const row = answer.rows[0] ?? {};
  return (
    <dl class="stats">
      {columns.map((column) => (
        <Stat key={column.name} name={words(column.name)} row={row} column={column} earlier={previous?.rows[0] ?? null} state={state} />
      ))}
    </dl>
  );
}

/** A card for each currency: amounts of different ones are never added. */
function ByKey({ panel, answer, previous, state, columns }: { panel: Panel; answer: Answer; previous: Answer | null; state: State; columns: Column[] }) {
  const by = panel.by ?? "";
  return (
    <dl class="stats">
      {answer.rows.flatMap((row) => {
        const earlier = previous?.rows.find((one) => one[by] === row[by]) ?? null;
        return columns
          .filter((column) => (column.unit === "currency") === Boolean(row[by]))
          .map((column) => (
            <Stat key={`${row[by]} ${column.name}`} name={row[by] ? `${words(column.name)}, ${row[by]}` : words(column.name)} row={row} column={column} earlier={earlier} state={state} />
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
        {large(row, column, state.tz)}
      </dd>
      {changed && (
        <dd class={`change ${changed.direction}`} title="to the period before, as long">
          {changed.text}
        </dd>
      )}
    </div>
  );
}

function Drawn({ panel, answer, state }: { panel: Panel; answer: Answer; state: State }) {
  const box = useRef<HTMLDivElement>(null);
  const made = useRef<Chart | null>(null);
  const from = useRef<number | null>(null);
  useEffect(() => {
    if (!box.current) return;
    made.current = chart(box.current);
    return () => made.current?.dispose();
  }, []);
  useEffect(() => made.current?.draw(drawing(panel, answer, state)), [answer, state.tz]);
  const buckets = panel.kind === "line" ? keys(panel, answer) : [];
  const ended = (event: PointerEvent) => {
    const began = from.current;
    from.current = null;
    if (began === null || !made.current || Math.abs(event.offsetX - began) < 12) return;
    const [first, last] = [began, event.offsetX].sort((a, b) => a - b).map((x) => made.current?.at(x) ?? 0) as [number, number];
    const until = buckets[Math.min(buckets.length - 1, Math.ceil(last) + 1)];
    const since = buckets[Math.max(0, Math.floor(first))];
    if (since && until && since < until) go({ frame: "", since, until });
  };
  return (
    <div
      class={panel.kind === "line" ? "chart zooms" : "chart"}
      ref={box}
      role="img"
      aria-label={`${panel.title}: a chart; the button Table shows its numbers`}
      onPointerDown={(event) => (from.current = event.offsetX)}
      onPointerUp={ended}
    />
  );
}

const keys = (panel: Panel, answer: Answer): string[] => [...new Set(answer.rows.map((row) => String(row[panel.x ?? ""])))];

function drawing(panel: Panel, answer: Answer, state: State): Drawing {
  const x = panel.x ?? "";
  const places = keys(panel, answer);
  const place = new Map(places.map((key, index) => [key, index]));
  const grain = String(answer.parameters["grain"] ?? "");
  const column = answer.columns.find((one) => one.name === panel.drawn[0]) ?? { name: "", type: "", unit: "" };
  const axis = answer.columns.find((one) => one.name === x) ?? column;
  const series = new Map<string, (number | null)[]>();
  for (const row of answer.rows) {
    for (const name of panel.drawn) {
      const key = panel.by ? String(row[panel.by] || "unpriced") : words(name);
      const values = series.get(key) ?? places.map(() => 0 as number | null);
      const cell = row[name] ?? null;
      values[place.get(String(row[x])) ?? 0] = cell === null ? null : Number(cell);
      series.set(key, values);
    }
  }
  if (panel.by) series.delete("unpriced");
  const last = places.at(-1) ?? "";
  const isLong = Date.parse(last) - Date.parse(places[0] ?? "") > 86_400_000;
  return {
    kind: panel.kind === "line" ? "line" : x === "month" ? "bar" : "bars across",
    labels: places.map((key) => (panel.kind === "line" ? bucket(key, grain, state.tz, isLong) : shown({ [x]: key }, axis, state.tz))),
    series: [...series].map(([name, values]) => ({ name, values })),
    description: `${panel.title}: ${places.length} values`,
    isRunning: panel.kind === "line" && Date.parse(String(answer.parameters["until"])) >= Date.now() - 60_000 && Boolean(last),
    format: (value) => (column.unit === "currency" ? short(value) : shown({ [column.name]: value }, column, state.tz)),
    axis: short,
  };
}
