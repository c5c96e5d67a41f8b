// A chart of a panel: lines over time with the period before dotted, bars by month; what it says under the pointer, and
// a range drawn with it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Answer, Panel } from "./api";
import type { Chart, Drawing, Series } from "./charts.js";
import { bucket, change, isNumeric, money, period, short, shortMoney, shown, words } from "./numbers";
import { go, type State } from "./state";
import { charts, inTurn } from "./turns";

const DRAG_PX = 12;
const px = (pixels: number): string => `${pixels}px`;

type Shown = Drawing & { keys: string[]; format: (value: number, place: number) => string; isAvailable: boolean[] };

export function Drawn({ panel, answer, earlier, state }: { panel: Panel; answer: Answer; earlier: Answer | null; state: State }) {
  const box = useRef<HTMLDivElement>(null);
  const made = useRef<Chart | null>(null);
  const newest = useRef<Shown | null>(null);
  const [, placed] = useState(0);
  const [standing, stands] = useState<Shown | null>(null);
  const [at, point] = useState<number | null>(null);
  const [drag, dragged] = useState<[number, number] | null>(null);
  const drawing = useMemo(() => drawn(panel, answer, earlier, state), [answer, earlier, state.tz]);
  useEffect(() => {
    newest.current = drawing;
    inTurn(async () => {
      const { chart } = await charts();
      if (!box.current || newest.current !== drawing) return;
      made.current ??= chart(box.current, () => placed((count) => count + 1));
      made.current.draw(drawing);
      stands(drawing);
    });
  }, [drawing]);
  useEffect(
    () => () => {
      newest.current = null;
      made.current?.dispose();
    },
    [],
  );
  const place = (x: number) => Math.max(0, Math.min(drawing.keys.length - 1, Math.round(made.current?.at(x) ?? 0)));
  const isLine = panel.kind === "line";
  const ended = () => {
    dragged(null);
    if (!drag || !made.current || Math.abs(drag[1] - drag[0]) < DRAG_PX) return;
    const [first, last] = [Math.min(...drag), Math.max(...drag)].map((x) => made.current?.at(x) ?? 0) as [number, number];
    const since = drawing.keys[Math.max(0, Math.floor(first))];
    const until = drawing.keys[Math.ceil(last) + 1] ?? String(answer.parameters["until"]);
    if (since && until && since < until) go({ frame: "", since, until, grain: "" });
  };
  const pressed = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    point(Math.max(0, Math.min(drawing.keys.length - 1, (at ?? drawing.keys.length) + step)));
  };
  return (
    <>
      {drawing.series.length > 1 && <Legend series={drawing.series} />}
      <div
        class={isLine ? "chart zooms" : "chart"}
        role="application"
        aria-roledescription="chart"
        aria-busy={standing !== drawing}
        tabIndex={0}
        aria-label={`${panel.title}: a chart of ${drawing.keys.length} values, the arrow keys go through them; the button Table shows all`}
        onKeyDown={pressed}
        onBlur={() => point(null)}
        onPointerDown={(event) => isLine && (event.currentTarget.setPointerCapture(event.pointerId), dragged([across(event), across(event)]))}
        onPointerMove={(event) => {
          point(place(across(event)));
          if (drag) dragged([drag[0], across(event)]);
        }}
        onPointerUp={ended}
        onPointerCancel={() => dragged(null)}
        onPointerLeave={() => point(null)}
      >
        <div class="canvas" ref={box} />
        {made.current && <Marks chart={made.current} drawing={drawing} />}
        {made.current && drag && <span class="brush" style={{ left: px(Math.min(...drag)), width: px(Math.abs(drag[1] - drag[0])) }} />}
        {made.current && at !== null && at < drawing.keys.length && <Tip chart={made.current} drawing={drawing} at={at} />}
      </div>
    </>
  );
}

const across = (event: PointerEvent): number => event.clientX - (event.currentTarget as HTMLElement).getBoundingClientRect().left;

function Legend({ series }: { series: Series[] }) {
  return (
    <ul class="legend">
      {series.map((one, place) => (
        <li key={one.name} class={one.isBefore ? "before" : `colour-${place % 5}`}>
          {one.name}
        </li>
      ))}
    </ul>
  );
}

/** What is hatched: the bucket that still runs, and months of which nothing is known. */
function Marks({ chart: made, drawing }: { chart: Chart; drawing: Shown }) {
  const last = drawing.keys.length - 1;
  if (last < 0 || Number.isNaN(made.left(0))) return null;
  const isLine = drawing.kind === "line";
  const half = last > 0 ? (made.left(1) - made.left(0)) / 2 : 30;
  const span = (from: number, to: number) => ({ left: px(made.left(from) - (isLine ? 0 : half)), width: px(made.left(to) - made.left(from) + (isLine ? 0 : 2 * half)) });
  const known = drawing.isAvailable.indexOf(true);
  const unknown = known < 0 ? last : known - 1;
  return (
    <>
      {drawing.isRunning && (!isLine || last > 0) && <span class="hatched" title="still running" style={span(isLine ? last - 1 : last, last)} />}
      {unknown >= 0 && (
        <span class="hatched unknown" style={span(0, unknown)}>
          <em>not available</em>
        </span>
      )}
    </>
  );
}

function Tip({ chart: made, drawing, at }: { chart: Chart; drawing: Shown; at: number }) {
  const left = px(made.left(at));
  const isRunning = drawing.isRunning && at === drawing.keys.length - 1;
  const rows = drawing.series.map((one, place) => ({ one, place, value: one.values[at] ?? null }));
  const now = rows[0];
  const then = rows.find(({ one }) => one.isBefore);
  const changed = now && then && !isRunning ? change(now.value, then.value) : null;
  return (
    <>
      <span class="cursor" style={{ left }} />
      {drawing.kind === "line" && rows.map(({ one, place, value }) => value !== null && !one.isBefore && <span key={one.name} class={`dot colour-${place % 5}`} style={{ left, top: px(made.top(value)) }} />)}
      <div class={at > drawing.keys.length / 2 ? "tip on-left" : "tip"} style={{ left }} role="status">
        <strong>{drawing.labels[at]}</strong>
        {isRunning && <small> still running</small>}
        {rows.map(({ one, place, value }) => (
          <p key={one.name} class={one.isBefore ? "before" : `colour-${place % 5}`}>
            <span>{one.name}</span>
            <b>{drawing.isAvailable[at] === false ? "not available" : value === null ? "–" : drawing.format(value, place)}</b>
          </p>
        ))}
        {changed && (
          <p>
            <span>change</span>
            <b>
              {changed.direction === "up" ? "+" : changed.direction === "down" ? "−" : ""}
              {changed.text}
            </b>
          </p>
        )}
      </div>
    </>
  );
}

const keysOf = (panel: Panel, answer: Answer): string[] => [...new Set(answer.rows.map((row) => String(row[panel.x ?? ""])))];

function seriesOf(panel: Panel, answer: Answer, keys: string[]): Series[] {
  const places = new Map(keys.map((key, index) => [key, index]));
  const found = new Map<string, (number | null)[]>();
  for (const row of answer.rows) {
    for (const name of panel.drawn) {
      const key = panel.by ? String(row[panel.by] || "unpriced") : words(name);
      const values = found.get(key) ?? keys.map(() => 0 as number | null);
      const cell = row[name] ?? null;
      values[places.get(String(row[panel.x ?? ""])) ?? 0] = cell === null ? null : Number(cell);
      found.set(key, values);
    }
  }
  if (panel.by) found.delete("unpriced");
  return [...found].map(([name, values]) => ({ name, values }));
}

/** The first series of the period before, bucket by bucket beside this one's. */
function beforeOf(panel: Panel, earlier: Answer | null, series: Series[], length: number): Series[] {
  if (!earlier || (panel.by && series.length !== 1)) return [];
  const found = seriesOf(panel, earlier, keysOf(panel, earlier)).find((one) => one.name === series[0]?.name);
  if (!found?.values.some((value) => value)) return [];
  return [{ name: "period before", values: Array.from({ length }, (_, place) => found.values[place] ?? null), isBefore: true }];
}

function drawn(panel: Panel, answer: Answer, earlier: Answer | null, state: State): Shown {
  const keys = keysOf(panel, answer);
  const grain = String(answer.parameters["grain"] ?? "");
  const isLine = panel.kind === "line";
  const column = answer.columns.find((one) => one.name === panel.drawn[0]) ?? { name: "", type: "", unit: "" };
  const axis = answer.columns.find((one) => one.name === panel.x) ?? column;
  const series = seriesOf(panel, answer, keys);
  const first = Date.parse(keys[0] ?? "");
  const isLong = Date.parse(keys.at(-1) ?? "") - first > 86_400_000;
  const currency = (place: number) => (series[place]?.name ?? series[0]?.name ?? "");
  const available = answer.columns.some((one) => one.name === "available");
  return {
    kind: isLine ? "line" : "bar",
    keys,
    labels: keys.map((key) => (isLine ? bucket(key, grain, state.tz, isLong) : shown({ [axis.name]: key }, axis, state.tz))),
    series: [...series, ...beforeOf(panel, earlier, series, keys.length)],
    isRunning: isLine ? Date.parse(String(answer.parameters["until"])) >= Date.now() - 60_000 : panel.x === "month" && isThisMonth(keys.at(-1) ?? "", state),
    isAvailable: available ? answer.rows.map((row) => Boolean(row["available"])) : keys.map(() => true),
    format: (value, place) => (column.unit === "currency" ? money(value, currency(place)) : isNumeric(column) ? shown({ [column.name]: value }, column, state.tz) : String(value)),
    axis: column.unit === "currency" && series.length === 1 ? (value) => shortMoney(value, currency(0)) : short,
  };
}

function isThisMonth(key: string, state: State): boolean {
  return key.slice(0, 7) === new Intl.DateTimeFormat("sv-SE", { timeZone: state.tz }).format(new Date()).slice(0, 7);
}

export const range = (answer: Answer, tz: string): string => {
  const { since, until } = answer.parameters;
  return typeof since === "string" && typeof until === "string" ? period(since, until, tz) : "";
};
