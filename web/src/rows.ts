// Rows as tables show them: found, sorted, and parts of a whole. Nothing here draws.

import type { Answer, Column, Row } from "./api";
import { isNumeric, nanos, words } from "./numbers";

export type Sort = { name: string; isDown: boolean } | null;

/** By what a table is sorted before somebody sorts it; tables of ranks come in order. */
const SORTED: Record<string, string> = {
  usage_by_agent: "interactions",
  usage_by_team: "interactions",
  user_activity: "interactions",
  billing_by_tenant: "cost",
  billing_by_team: "cost",
  billing_by_agent: "cost",
  billing_periods: "since",
  customers: "tasks_this_month",
  live_windows: "requests",
  monthly_usage: "month",
  monthly_usage_by_recipe: "month",
  ledger: "received",
  ledger_by_tenant: "rejected",
  rejections: "rejected",
};

const { compare } = new Intl.Collator(navigator.language, { numeric: true });

export const sortOf = (text: string): Sort => {
  const cut = text.lastIndexOf(".");
  return cut < 0 ? null : { name: text.slice(0, cut), isDown: text.slice(cut + 1) === "down" };
};

export const firstSort = (view: string): string => (SORTED[view] ? `${SORTED[view]}.down` : "");

export function sorted(rows: Row[], sort: Sort, column: Column | undefined): Row[] {
  if (!sort || !column) return rows;
  const { name, isDown } = sort;
  if (!isNumeric(column)) {
    const texts = rows.map((row) => ({ row, text: String(row[name] ?? "") }));
    return texts.sort((a, b) => (isDown ? -1 : 1) * compare(a.text, b.text)).map(({ row }) => row);
  }
  const numbers = rows.map((row) => ({ row, currency: column.unit === "currency" ? String(row["currency"] ?? "") : "", value: Number(row[name] ?? Number.NEGATIVE_INFINITY) }));
  return numbers
    .sort((a, b) => Number(!a.currency) - Number(!b.currency) || a.currency.localeCompare(b.currency) || (isDown ? b.value - a.value : a.value - b.value))
    .map(({ row }) => row);
}

export function found(rows: Row[], columns: Column[], search: string, names: Map<string, string>): Row[] {
  const wanted = search.trim().toLowerCase();
  if (!wanted) return rows;
  const text = (row: Row, column: Column) => {
    const cell = String(row[column.name] ?? "");
    return column.name === "tenant" ? `${cell} ${names.get(cell) ?? ""}` : cell;
  };
  return rows.filter((row) => columns.some((column) => text(row, column).toLowerCase().includes(wanted)));
}

/** Requests without a price stand in a row of no currency; here beside what the others cost. */
export function beside(answer: Answer): Row[] {
  if (!answer.columns.some((one) => one.name === "unpriced_requests") || !answer.columns.some((one) => one.name === "currency")) return answer.rows;
  const key = (row: Row) => ["tenant", "team_id", "agent_id"].map((name) => row[name] ?? "").join("\n");
  const priced = new Set(answer.rows.filter((row) => row["currency"]).map(key));
  const unpriced = new Map(answer.rows.filter((row) => !row["currency"]).map((row) => [key(row), row["unpriced_requests"] ?? 0]));
  return answer.rows.flatMap((row) => {
    const own = key(row);
    if (!row["currency"]) return priced.has(own) ? [] : [row];
    const more = unpriced.get(own);
    unpriced.delete(own); // of several currencies, in the first alone
    return [more === undefined ? row : { ...row, unpriced_requests: more }];
  });
}

/** What all rows of a currency come to, exactly: the whole of which each row is a part. */
export function totals(answer: Answer): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  if (!answer.columns.some((one) => one.name === "cost" && one.unit === "currency")) return sums;
  for (const row of answer.rows) {
    const currency = String(row["currency"] ?? "");
    if (currency) sums.set(currency, (sums.get(currency) ?? 0n) + nanos(row["cost"] ?? null));
  }
  return sums;
}

/** The number by whose size a table's rows are told apart at a glance. */
export function leadingNumber(view: string, columns: Column[]): Column | null {
  if (/^billing_by/.test(view)) return columns.find((one) => one.name === "cost") ?? null;
  if (!/^(top_|usage_by|recommended)/.test(view)) return null;
  return columns.find((one) => isNumeric(one) && one.name !== "rank") ?? null;
}

export const heading = (column: Column): string => column.heading ?? words(column.name);
