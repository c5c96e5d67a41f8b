// Rows as a table: sorted by a click, a hundred at a time, each number where columns are compared.

import { useMemo, useState } from "preact/hooks";
import type { Answer, Column, Panel, Row } from "./api";
import { lettersOf } from "./health";
import { ago, changeOf, count, isNumeric, money, nanos, part, shown, time, typeName, words } from "./numbers";
import { beside, firstSort, found, heading, leadingNumber, sorted, sortOf, totals } from "./rows";
import { link, type State, usePart } from "./state";

const AT_ONCE = 100;
const LONG = 12;
const CUT = 16; // letters of a name, after which a narrow column may cut it off
const FACETS: Record<string, string> = { user_activity: "adoption", live_windows: "window" };
const FIRST_FACET: Record<string, string> = { window: "1h" };

type Props = { panel: Panel; answer: Answer; state: State; names: Map<string, string>; isWhole: boolean };

export function Table({ panel, answer, state, names, isWhole }: Props) {
  const facetColumn = panel.kind === "table" ? (FACETS[panel.view] ?? "") : "";
  const [sortText, sortBy] = usePart(panel.id, "sort", isWhole ? "" : firstSort(panel.view));
  const [search, searchFor] = usePart(panel.id, "search");
  const [facet, choose] = usePart(panel.id, "show", FIRST_FACET[facetColumn] ?? "");
  const [most, show] = useState(AT_ONCE);
  const columns = useMemo(() => columnsOf(panel, answer, state, isWhole), [panel, answer, state.tenant, isWhole]);
  const sort = sortOf(sortText);
  const all = useMemo(() => beside(answer), [answer]);
  const rows = useMemo(() => {
    const chosen = facet ? all.filter((row) => row[facetColumn] === facet) : all;
    const by = sort && answer.columns.find((one) => one.name === sort.name);
    return sorted(found(chosen, columns, search, names), sort, by ?? undefined);
  }, [all, columns, sortText, search, facet]);
  // What more rows would add is in no total.
  const wholes = useMemo(() => (answer.next === null ? totals(answer) : new Map<string, bigint>()), [answer]);
  const lead = leadingNumber(panel.view, columns);
  const first = columns.findIndex((column) => column.name !== "rank");
  const turn = (column: Column) => {
    const isDown = sort?.name === column.name ? !sort.isDown : isNumeric(column);
    sortBy(`${column.name}.${isDown ? "down" : "up"}`);
  };
  return (
    <>
      {(facetColumn || all.length > LONG) && (
        <div class="narrow">
          {facetColumn && <Facets answer={answer} column={facetColumn} chosen={facet} choose={choose} />}
          {all.length > LONG && <input type="search" class="search" placeholder="Search" aria-label={`Search in ${panel.title}`} value={search} onInput={(event) => searchFor(event.currentTarget.value)} />}
        </div>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-label={`${panel.title}, table`}>
        <table>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.name} scope="col" class={kindOf(column)} aria-sort={sort?.name === column.name ? (sort.isDown ? "descending" : "ascending") : "none"}>
                  <button type="button" onClick={() => turn(column)}>
                    {heading(column)}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most).map((row, place) => (
              <tr key={place}>
                {columns.map((column, index) => (
                  <td key={column.name} class={kindOf(column)} title={titleOf(row, column, state, names)}>
                    {lead && index === first && <span class="meter" style={{ width: `${share(row, lead, rows)}%` }} />}
                    <Cell panel={panel} row={row} column={column} state={state} names={names} isFirst={index === first} />
                    {column.name === "cost" && row["currency"] ? <small> {part(nanos(row["cost"] ?? null), wholes.get(String(row["currency"])) ?? 0n)}</small> : null}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
          {wholes.size > 0 && <Wholes columns={columns} wholes={wholes} first={first} />}
        </table>
        {rows.length === 0 && <p class="empty">Nothing found.</p>}
        {rows.length > most && (
          <button type="button" class="more" onClick={() => show(most + AT_ONCE)}>
            Show more: {count(most)} of {count(rows.length)}
          </button>
        )}
        {answer.next !== null && <p class="muted">These are the first {count(answer.rows.length)} rows that the API gives; the CSV has all.</p>}
      </div>
    </>
  );
}

function columnsOf(panel: Panel, answer: Answer, state: State, isWhole: boolean): Column[] {
  const known = new Map(answer.columns.map((column) => [column.name, column]));
  const names = isWhole ? panel.columns.map((column) => column.name) : panel.drawn.filter((name) => name !== "window");
  const isOfMany = !isWhole && !state.tenant && state.tab !== "customer" && known.has("tenant") && !names.includes("tenant") && !/^(top_|customers)/.test(panel.view);
  const wanted = isOfMany ? [names[0] ?? "", "tenant", ...names.slice(1)] : names;
  const extra = answer.columns.filter((column) => column.heading).map((column) => column.name);
  return [...wanted, ...extra].flatMap((name) => known.get(name) ?? []);
}

const kindOf = (column: Column): string => (column.name === "rank" ? "number rank" : isNumeric(column) && column.name !== "closed" ? "number" : "");

function titleOf(row: Row, column: Column, state: State, names: Map<string, string>): string | undefined {
  const cell = row[column.name] ?? null;
  if (cell === null) return column.name === "tasks" ? "not available" : undefined;
  if (column.unit === "currency") return String(cell);
  if (/_seen$|^newest_/.test(column.name)) return time(String(cell), state.tz);
  const text = String(cell);
  return column.type === "String" && text.length > CUT ? (column.name === "tenant" ? names.get(text) : undefined) ?? text : undefined;
}

function share(row: Row, lead: Column, rows: Row[]): number {
  const isOne = (one: Row) => lead.unit !== "currency" || one["currency"] === row["currency"];
  const most = rows.reduce((so, one) => (isOne(one) ? Math.max(so, Number(one[lead.name] ?? 0)) : so), 0);
  return most > 0 ? (100 * Number(row[lead.name] ?? 0)) / most : 0;
}

function Cell({ panel, row, column, state, names, isFirst }: { panel: Panel; row: Row; column: Column; state: State; names: Map<string, string>; isFirst: boolean }) {
  const cell = row[column.name] ?? null;
  const text = textOf(cell, row, column, state, names);
  const target = isFirst ? onward(panel, row) : "";
  if (target) return <a href={target}>{text || "–"}</a>;
  if (["adoption", "subscription", "kind"].includes(column.name) || column.name === "closed") return <span class={`badge ${text}`}>{text}</span>;
  if (panel.view === "rejections" && column.name === "reason") {
    return (
      <a href={lettersOf(text)} aria-label={`${text}: the texts of these dead letters`}>
        {text}
      </a>
    );
  }
  const changed = column.heading ? changeOf(row[`${column.name} change`] ?? null, String(row[`${column.name} state`])) : null;
  return (
    <>
      {text}
      {changed && <small class={changed.direction}> {changed.text}</small>}
    </>
  );
}

function textOf(cell: string | number | null, row: Row, column: Column, state: State, names: Map<string, string>): string {
  if (column.name === "tenant") return names.get(String(cell)) ?? String(cell ?? "–");
  if (column.name === "type") return typeName(String(cell));
  if (column.name === "closed") return cell ? "closed" : "running";
  if (column.name === "tasks" && cell === null) return "not available";
  if (/_seen$|^newest_/.test(column.name) && cell !== null) return ago(String(cell));
  return shown(row, column, state.tz);
}

/** Where a row leads: into the filter that it stands for. */
function onward(panel: Panel, row: Row): string {
  const text = (name: string) => String(row[name] ?? "");
  switch (panel.view) {
    case "top_tenants":
    case "billing_by_tenant":
    case "live_windows":
      return link({ tenant: text("tenant"), token: "" });
    case "top_tokens":
      return text("token_id") ? link({ tenant: text("tenant"), token: text("token_id") }) : "";
    case "customers":
    case "top_customers":
      return link({ tab: "customer", customer: text("tenant") });
    case "billing_periods":
      return link({ frame: "", since: text("since"), until: text("until"), tenant: text("tenant") });
    default:
      return "";
  }
}

/** The whole, a row for each currency: never added. */
function Wholes({ columns, wholes, first }: { columns: Column[]; wholes: Map<string, bigint>; first: number }) {
  return (
    <tfoot>
      {[...wholes].map(([currency, sum]) => (
        <tr key={currency}>
          {columns.map((column, index) => (
            <td key={column.name} class={kindOf(column)}>
              {index === first ? "Total" : column.name === "currency" ? currency : column.name === "cost" ? money(decimal(sum), currency) : ""}
            </td>
          ))}
        </tr>
      ))}
    </tfoot>
  );
}

function decimal(sum: bigint): string {
  const digits = (sum < 0n ? -sum : sum).toString().padStart(10, "0");
  return `${sum < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

function Facets({ answer, column, chosen, choose }: { answer: Answer; column: string; chosen: string; choose: (value: string) => void }) {
  const counts = new Map<string, number>();
  for (const row of answer.rows) counts.set(String(row[column]), (counts.get(String(row[column])) ?? 0) + 1);
  const isWindow = column === "window";
  return (
    <div class="facets" role="group" aria-label={words(column)}>
      {[...counts].map(([name, rows]) => (
        <button key={name} type="button" class={name} aria-pressed={chosen === name} onClick={() => choose(chosen === name && !isWindow ? "" : name)}>
          {isWindow ? WINDOWS[name] : ADOPTION[name] ?? name}
          {!isWindow && <strong>{count(rows)}</strong>}
        </button>
      ))}
    </div>
  );
}

const WINDOWS: Record<string, string> = { "1m": "1 minute", "5m": "5 minutes", "1h": "1 hour", month: "Month to date" };
const ADOPTION: Record<string, string> = { active: "Active", stopped: "Stopped using it", never: "Never used it" };
