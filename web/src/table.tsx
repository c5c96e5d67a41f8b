// Rows as a table: sorted by a click, a hundred at a time, each number where columns are compared.

import { useMemo, useState } from "preact/hooks";
import type { Answer, Column, Panel, Row } from "./api";
import { isNumeric, nanos, part, shown, words } from "./numbers";
import { link, type State } from "./state";

const AT_ONCE = 100;
const FACETS = ["adoption"];

type Sort = { column: Column; isDown: boolean } | null;

export function Table({ panel, answer, state, isWhole }: { panel: Panel; answer: Answer; state: State; isWhole: boolean }) {
  const [sort, sortBy] = useState<Sort>(null);
  const [most, show] = useState(AT_ONCE);
  const [search, searchFor] = useState("");
  const [facet, choose] = useState("");
  const known = new Map(answer.columns.map((column) => [column.name, column]));
  const names = isWhole ? panel.columns.map((column) => column.name) : panel.drawn;
  const columns = names.flatMap((name) => known.get(name) ?? []);
  const facetColumn = FACETS.find((name) => known.has(name) && panel.kind === "table");
  const rows = useMemo(
    () => sorted(chosen(answer.rows, columns, search, facetColumn ?? "", facet), sort),
    [answer, sort, search, facet],
  );
  const totals = useMemo(() => sums(answer), [answer]);
  return (
    <>
      {facetColumn && <Facets answer={answer} column={facetColumn} chosen={facet} choose={choose} />}
      {answer.rows.length > 20 && (
        <input type="search" class="search" placeholder="Search" aria-label={`Search in ${panel.title}`} value={search} onInput={(event) => searchFor(event.currentTarget.value)} />
      )}
      <div class="scroll" tabIndex={0} role="region" aria-label={`${panel.title}, table`}>
        <table>
          <thead>
            <tr>
              {columns.map((column) => (
                <th key={column.name} scope="col" class={isNumeric(column) ? "number" : ""} aria-sort={sort?.column.name === column.name ? (sort.isDown ? "descending" : "ascending") : "none"}>
                  <button type="button" onClick={() => sortBy({ column, isDown: sort?.column.name === column.name ? !sort.isDown : isNumeric(column) })}>
                    {words(column.name)}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, most).map((row, place) => (
              <tr key={place}>
                {columns.map((column, index) => (
                  <td key={column.name} class={isNumeric(column) ? "number" : ""} title={column.unit === "currency" ? String(row[column.name]) : undefined}>
                    <Cell panel={panel} row={row} column={column} state={state} isFirst={index === leading(columns)} />
                    {column.unit === "currency" && <Part row={row} column={column} totals={totals} />}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length > most && (
          <button type="button" class="more" onClick={() => show(most + AT_ONCE)}>
            {AT_ONCE} more of {rows.length}
          </button>
        )}
      </div>
    </>
  );
}

/** The column whose text leads on: the first that is not a rank. */
const leading = (columns: Column[]): number => columns.findIndex((column) => column.name !== "rank");

function Cell({ panel, row, column, state, isFirst }: { panel: Panel; row: Row; column: Column; state: State; isFirst: boolean }) {
  const text = shown(row, column, state.tz);
  const target = isFirst ? onward(panel, row) : "";
  return target ? <a href={target}>{text || "–"}</a> : <>{text}</>;
}

/** Where a row leads: into the filter that it stands for. */
function onward(panel: Panel, row: Row): string {
  const text = (name: string) => String(row[name] ?? "");
  switch (panel.view) {
    case "top_tenants":
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

function Part({ row, column, totals }: { row: Row; column: Column; totals: Map<string, bigint> }) {
  const all = totals.get(`${column.name} ${row["currency"]}`) ?? 0n;
  const text = row["currency"] ? part(nanos(row[column.name] ?? null), all) : "";
  return text ? <small> {text}</small> : null;
}

/** What all rows of a currency come to, by column: the whole of which each row is a part. */
function sums(answer: Answer): Map<string, bigint> {
  const found = new Map<string, bigint>();
  for (const column of answer.columns.filter((one) => one.unit === "currency")) {
    for (const row of answer.rows) {
      const key = `${column.name} ${row["currency"]}`;
      found.set(key, (found.get(key) ?? 0n) + nanos(row[column.name] ?? null));
    }
  }
  return found;
}

function Facets({ answer, column, chosen, choose }: { answer: Answer; column: string; chosen: string; choose: (value: string) => void }) {
  const counts = new Map<string, number>();
  for (const row of answer.rows) counts.set(String(row[column]), (counts.get(String(row[column])) ?? 0) + 1);
  return (
    <div class="facets" role="group" aria-label={words(column)}>
      {[...counts].map(([name, count]) => (
        <button key={name} type="button" aria-pressed={chosen === name} onClick={() => choose(chosen === name ? "" : name)}>
          {name} <strong>{count}</strong>
        </button>
      ))}
    </div>
  );
}

function chosen(rows: Row[], columns: Column[], search: string, facetColumn: string, facet: string): Row[] {
  const wanted = search.trim().toLowerCase();
  return rows.filter(
    (row) =>
      (!facet || row[facetColumn] === facet) &&
      (!wanted || columns.some((column) => String(row[column.name] ?? "").toLowerCase().includes(wanted))),
  );
}

function sorted(rows: Row[], sort: Sort): Row[] {
  if (!sort) return rows;
  const { column, isDown } = sort;
  const compare = isNumeric(column)
    ? (a: Row, b: Row) => Number(a[column.name] ?? Number.NEGATIVE_INFINITY) - Number(b[column.name] ?? Number.NEGATIVE_INFINITY)
    : (a: Row, b: Row) => String(a[column.name] ?? "").localeCompare(String(b[column.name] ?? ""));
  return [...rows].sort((a, b) => (isDown ? -compare(a, b) : compare(a, b)));
}
