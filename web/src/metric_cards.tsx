// User-defined metrics where they are read: columns in the list of customers (B6), cards of one customer (B2, B3).

import type { ComponentChildren } from "preact";
import { useAnswer } from "./answers";
import type { Answer, Cell, Column, Row } from "./api";
import type { Definition } from "./metric";
import { amount, changeOf } from "./numbers";
import { Why } from "./panel";
import { Sparkline } from "./sparkline";
import { link, type State } from "./state";
import { Change } from "./stats";

const MOST = 1_000_000;

/** The path of everybody's values, or of one organization's. */
export const valuesOf = (tenant: string): string => `/v1/views/metric_values?as_of=now&tenant=${encodeURIComponent(tenant)}&limit=${MOST}`;

/** The list of customers with a column for each metric. */
export function withMetrics(answer: Answer, values: Answer): Answer {
  const columns = new Map<string, Column>();
  const cells = new Map<string, Row>();
  for (const row of values.rows) {
    const [tenant, metric] = [String(row["tenant"]), `metric ${row["metric_id"]}`];
    if (!columns.has(metric)) columns.set(metric, { name: metric, type: "Nullable(Decimal(76, 18))", unit: row["currency"] ? "currency" : "", heading: String(row["name"]), currency: String(row["currency"] ?? "") });
    const found = cells.get(tenant) ?? {};
    found[metric] = row["value"] ?? null;
    found[`${metric} change`] = row["change_percent"] ?? null;
    found[`${metric} state`] = row["state"] ?? null;
    cells.set(tenant, found);
  }
  return { ...answer, columns: [...answer.columns, ...columns.values()], rows: answer.rows.map((row) => ({ ...row, ...cells.get(String(row["tenant"])) })) };
}

type Props = {
  state: State;
  tenant: string;
  news: number;
  definitions: Definition[] | null;
  mayDefine: boolean;
  id: string;
  title: string;
  /** Shows what a chosen one is made of; null: nobody may choose here. */
  madeOf?: ((name: string) => ComponentChildren) | null;
};

/** A card for each metric of one customer. */
export function MetricCards({ state, tenant, news, definitions, mayDefine, id, title, madeOf = null }: Props) {
  const { answer, refused, isWaiting } = useAnswer(valuesOf(tenant), news);
  const days = useAnswer(`/v1/views/metric_sparkline?as_of=now&tenant=${encodeURIComponent(tenant)}&tz=${encodeURIComponent(state.zone)}&metric=&limit=${MOST}`, news);
  const of = (metric: Cell) => (days.answer?.rows ?? []).filter((row) => row["metric_id"] === metric).map((row) => ({ day: String(row["day"]), value: row["value"] ?? null }));
  const chosen = answer?.rows.find((row) => row["metric_id"] === state.metric);
  return (
    <>
      <section class="card width-24 height-4" aria-labelledby={id} aria-busy={isWaiting || days.isWaiting} data-panel={id}>
        <header>
          <h2 id={id}>{title}</h2>
          <span class="tools">
            {mayDefine && <a href={link({ tab: "metrics", metric: "new", customer: "" })}>Add usage metric</a>}
            <a href={`${valuesOf(tenant)}&format=csv`} download aria-label={`${title} as CSV`}>
              CSV
            </a>
          </span>
        </header>
        {refused ? (
          <Why refused={refused} />
        ) : answer?.rows.length === 0 ? (
          <div class="empty">
            <p>No usage metrics yet</p>
            <p>Metrics that are defined once are shown here for every customer.</p>
          </div>
        ) : (
          <div class="metrics">
            {answer?.rows.map((row) => {
              const own = definitions?.find((one) => one.metric_id === row["metric_id"]);
              return <Metric key={String(row["metric_id"])} row={row} target={madeOf ? link({ metric: String(row["metric_id"]) }) : ""} days={of(row["metric_id"] ?? null)} interval={own?.interval_days} isNumber={own ? own.display !== "sparkline" : false} />;
            })}
          </div>
        )}
      </section>
      {madeOf && chosen && madeOf(String(chosen["name"]))}
    </>
  );
}

type Shown = { /** Where its name leads to; empty: nowhere. */ target?: string; row: Row; days: { day: string; value: Cell }[]; interval: number | undefined; isNumber: boolean };

/** One metric as people see it: its number with the change, and where it is to have one its sparkline. */
export function Metric({ row, days, interval, isNumber, target = "" }: Shown) {
  const currency = String(row["currency"] ?? "");
  const changed = changeOf(row["change_percent"] ?? null, String(row["state"]));
  const lost = Number(row["missing"] ?? 0) + Number(row["not_numeric"] ?? 0) + Number(row["not_exact"] ?? 0);
  const length = interval ?? [7, 30, 90].find((one) => Math.abs(one + 1 - days.length) < 2);
  return (
    <dl class="metric" data-metric={String(row["metric_id"])}>
      <dt>
        {target ? <a href={target}>{String(row["name"])}</a> : String(row["name"])} {length && <small>{length} days</small>}
      </dt>
      <dd class="value" title={String(row["value"] ?? "no value")} data-value={String(row["value"] ?? "")}>
        {amount(row["value"] ?? null, currency)}
      </dd>
      {changed && <Change changed={changed} name="" />}
      {!isNumber && days.length > 0 && (
        <dd class="days">
          <Sparkline days={days} label={String(row["name"])} shown={(value) => amount(value, currency)} />
        </dd>
      )}
      {lost > 0 && (
        <dd class="lost" title={`missing ${row["missing"]}, not a number ${row["not_numeric"]}, not exact ${row["not_exact"]}`}>
          {amount(lost, "")} of {amount(row["events"] ?? null, "")} events add nothing
        </dd>
      )}
    </dl>
  );
}
