// Numbers and times for people, made by Intl from what the API wrote, exactly.

import type { Cell, Column, Row } from "./api";

const language = navigator.language;
const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 2 });
const milliseconds = new Intl.NumberFormat(language, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
const seconds = new Intl.NumberFormat(language, { style: "unit", unit: "second", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1, signDisplay: "never" });
const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const list = new Intl.ListFormat(language, { type: "conjunction" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });

/** Formats by what they are made from: making one costs a hundred times as much as using it. */
function kept<Options, Format>(make: (options: Options) => Format): (options: Options) => Format {
  const made = new Map<string, Format>();
  return (options) => {
    const key = JSON.stringify(options);
    const found = made.get(key) ?? make(options);
    made.set(key, found);
    return found;
  };
}

const numberFormat = kept((options: Intl.NumberFormatOptions) => new Intl.NumberFormat(language, options));
const timeFormat = kept((options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language, options));

// Intl takes decimals as text and keeps every digit of them; its types know numbers only.
const exactly = (value: Cell) => value as unknown as number;

export function isNumeric(column: Column): boolean {
  return /^(Nullable\()?(U?Int|Float|Decimal)/.test(column.type);
}

const isTime = (column: Column) => /^(Nullable\()?DateTime/.test(column.type);
const isDay = (column: Column) => /^(Nullable\()?Date\b/.test(column.type);

const NAMES: Record<string, string> = { tenant: "organization", token_owner: "owner" };

export function words(name: string): string {
  return (NAMES[name] ?? name)
    .replace(/_ms(?=_|$)/, "")
    .replace(/_avg$/, ", average")
    .replace(/_p(\d+)$/, ", p$1")
    .replaceAll("_", " ");
}

export function money(value: Cell, currency: string, digits = 2): string {
  return numberFormat({ style: "currency", currency, maximumFractionDigits: digits }).format(exactly(value));
}

export type Zone = string;

export function time(value: string, tz: Zone, seconds = false): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: seconds ? "medium" : "short", timeZone: tz };
  return timeFormat(options).format(new Date(value));
}

export function day(value: string, name = ""): string {
  const options: Intl.DateTimeFormatOptions =
    name === "month" ? { month: "short", year: "numeric", timeZone: "UTC" } : { dateStyle: "medium", timeZone: "UTC" };
  return timeFormat(options).format(new Date(`${value}T00:00:00Z`));
}

/** A cell as a person reads it. */
export function shown(row: Row, column: Column, tz: Zone): string {
  const cell = row[column.name] ?? null;
  if (cell === null) return "–";
  if (column.name === "closed" || column.name === "available") return cell ? "yes" : "no";
  if (column.unit === "currency") {
    const currency = column.currency ?? String(row["currency"] ?? "");
    return currency ? money(cell, currency) : "–";
  }
  if (column.unit === "ms") return milliseconds.format(exactly(cell));
  if (isNumeric(column)) return plain.format(exactly(cell));
  if (isTime(column)) return time(String(cell), tz);
  if (isDay(column)) return day(String(cell), column.name);
  return String(cell);
}

export type Piece = { text: string; isUnit: boolean };

const UNITS = new Set(["unit", "currency", "compact", "percentSign"]);

/** A number on a card, in pieces: short when it is long; the whole of it is its title. */
export function large(row: Row, column: Column, tz: Zone): Piece[] {
  const cell = row[column.name] ?? null;
  const format = cell === null ? null : largeFormat(row, column, Number(cell));
  if (!format) return [{ text: shown(row, column, tz), isUnit: false }];
  const isLong = column.unit === "ms" && Number(cell) >= 10_000;
  const parts = format.formatToParts(isLong ? Number(cell) / 1000 : exactly(cell));
  return parts.map(({ type, value }) => ({ text: value, isUnit: UNITS.has(type) }));
}

function largeFormat(row: Row, column: Column, size: number): Intl.NumberFormat | null {
  if (column.unit === "ms") return size >= 10_000 ? seconds : milliseconds;
  if (column.unit === "currency") {
    const currency = String(row["currency"] ?? "");
    const digits = size >= 1e6 ? ({ notation: "compact", maximumFractionDigits: 2 } as const) : { maximumFractionDigits: 2 };
    return currency ? numberFormat({ style: "currency", currency, ...digits }) : null;
  }
  return isNumeric(column) ? (size >= 1e6 ? compact : plain) : null;
}

export const short = (value: number): string => compact.format(value);

/** Columns of which more is worse, and those of which neither is better (nor of a metric, whose name is not known). */
const WORSE = /^failed|_ms_|^unpriced|^unmetered/;
const NEITHER = /^cost$|tokens$/;

export function judged(name: string, direction: "up" | "down" | "same"): "good" | "bad" | "" {
  if (direction === "same" || name === "" || NEITHER.test(name)) return "";
  return (direction === "up") === WORSE.test(name) ? "bad" : "good";
}

export function shortMoney(value: number, currency: string): string {
  return numberFormat({ style: "currency", currency, notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 2 }).format(value);
}

export function change(now: Cell, before: Cell): { text: string; direction: "up" | "down" | "same" } | null {
  if (now === null || before === null) return null;
  const [a, b] = [Number(now), Number(before)];
  if (b === 0) return a === 0 ? null : { text: "new", direction: "up" };
  const by = (a - b) / Math.abs(b);
  return { text: percent.format(by), direction: by > 0 ? "up" : by < 0 ? "down" : "same" };
}

/** A metric's value: exact text, with its currency where it has one. */
export function amount(value: Cell, currency: string): string {
  if (value === null || value === "") return "–";
  return currency ? money(value, currency) : plain.format(exactly(value));
}

/** The change of a metric, as the API says it. */
export function changeOf(by: Cell, state: string): { text: string; direction: "up" | "down" | "same" } | null {
  if (state === "new") return { text: "new", direction: "up" };
  if (by === null || state !== "ok") return null;
  const of = Number(by) / 100;
  return { text: percent.format(of), direction: of > 0 ? "up" : of < 0 ? "down" : "same" };
}

const NANO = 9;

/** Decimals as whole billionths, so that parts are compared with their sum exactly. */
export function nanos(value: Cell): bigint {
  const [whole = "0", decimals = ""] = String(value ?? "0").split(".");
  return BigInt(whole + decimals.slice(0, NANO).padEnd(NANO, "0"));
}

export function part(value: bigint, of: bigint): string {
  return of === 0n ? "" : share.format(Number((value * 1_000_000n) / of) / 1e6);
}

const TYPES: Record<string, string> = { "usage.request.v1": "Requests", "usage.recipe_action.v1": "Recipe actions", "usage.event.v1": "Product events", "usage.entity.v1": "Registry" };

/** The type of an event in words. */
export const typeName = (type: string): string => TYPES[type] ?? (type || "unreadable");

/** A count as people write it. */
export const count = (value: number): string => plain.format(value);

const dayAndTime: Intl.DateTimeFormatOptions = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };

/** A range in words; whole days of the zone without their times. */
export function period(since: string, until: string, tz: Zone): string {
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone: tz });
  const isMidnight = (instant: string) => clock.format(new Date(instant)) === "00:00";
  const isWhole = isMidnight(since) && isMidnight(until);
  const options: Intl.DateTimeFormatOptions = isWhole ? { dateStyle: "medium" } : dayAndTime;
  const last = new Date(Date.parse(until) - (isWhole ? 1 : 0));
  return timeFormat({ ...options, timeZone: tz }).formatRange(new Date(since), last);
}

/** The name of a bucket; ``isLong``: of a range in which the time of day alone does not tell it. */
export function bucket(value: string, grain: string, tz: Zone, isLong: boolean): string {
  const options: Intl.DateTimeFormatOptions =
    grain === "minute" || grain === "hour"
      ? { hour: "2-digit", minute: "2-digit", ...(isLong ? { day: "numeric", month: "short" } : {}) }
      : grain === "month"
        ? { month: "short", year: "2-digit" }
        : { day: "numeric", month: "short" };
  return timeFormat({ ...options, timeZone: tz }).format(new Date(value));
}

export function ago(then: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(then) - now) / 1000);
  const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ];
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return relative.format(Math.min(0, seconds), "second");
}

export const together = (names: string[]): string => list.format(names);
