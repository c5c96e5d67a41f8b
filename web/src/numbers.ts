// Numbers and times for people, made by Intl from what the API wrote, exactly.

import type { Cell, Column, Row } from "./api";

const language = navigator.language;
const plain = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 2 });
const milliseconds = new Intl.NumberFormat(language, { style: "unit", unit: "millisecond", maximumFractionDigits: 0 });
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const share = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
const list = new Intl.ListFormat(language, { type: "conjunction" });

// Intl takes decimals as text and keeps every digit of them; its types know numbers only.
const exactly = (value: Cell) => value as unknown as number;

export function isNumeric(column: Column): boolean {
  return /^(Nullable\()?(U?Int|Float|Decimal)/.test(column.type);
}

const isTime = (column: Column) => /^(Nullable\()?DateTime/.test(column.type);
const isDay = (column: Column) => /^(Nullable\()?Date\b/.test(column.type);

export function words(name: string): string {
  return name
    .replace(/_ms(?=_|$)/, "")
    .replace(/_avg$/, ", average")
    .replace(/_p(\d+)$/, ", p$1")
    .replaceAll("_", " ");
}

export function money(value: Cell, currency: string, digits = 2): string {
  const options = { style: "currency", currency, maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(language, options).format(exactly(value));
}

export type Zone = string;

export function time(value: string, tz: Zone, seconds = false): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: seconds ? "medium" : "short", timeZone: tz };
  return new Intl.DateTimeFormat(language, options).format(new Date(value));
}

function day(value: string, name: string): string {
  const options: Intl.DateTimeFormatOptions =
    name === "month" ? { month: "short", year: "numeric", timeZone: "UTC" } : { dateStyle: "medium", timeZone: "UTC" };
  return new Intl.DateTimeFormat(language, options).format(new Date(`${value}T00:00:00Z`));
}

/** A cell as a person reads it. */
export function shown(row: Row, column: Column, tz: Zone): string {
  const cell = row[column.name] ?? null;
  if (cell === null) return "–";
  if (column.name === "closed" || column.name === "available") return cell ? "yes" : "no";
  if (column.unit === "currency") {
    const currency = String(row["currency"] ?? "");
    return currency ? money(cell, currency) : "–";
  }
  if (column.unit === "ms") return milliseconds.format(exactly(cell));
  if (isNumeric(column)) return plain.format(exactly(cell));
  if (isTime(column)) return time(String(cell), tz);
  if (isDay(column)) return day(String(cell), column.name);
  return String(cell);
}

/** A number on a card: short when it is long; the whole of it is its title. */
export function large(row: Row, column: Column, tz: Zone): string {
  const cell = row[column.name] ?? null;
  const isCount = isNumeric(column) && column.unit !== "ms" && column.unit !== "currency";
  return isCount && cell !== null && Number(cell) >= 1e6 ? compact.format(exactly(cell)) : shown(row, column, tz);
}

export const short = (value: number): string => compact.format(value);

export function change(now: Cell, before: Cell): { text: string; direction: "up" | "down" | "same" } | null {
  if (now === null || before === null) return null;
  const [a, b] = [Number(now), Number(before)];
  if (b === 0) return a === 0 ? null : { text: "new", direction: "up" };
  const relative = (a - b) / Math.abs(b);
  return { text: percent.format(relative), direction: relative > 0 ? "up" : relative < 0 ? "down" : "same" };
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

/** The name of a bucket; ``isLong``: of a range in which the time of day alone does not tell it. */
export function bucket(value: string, grain: string, tz: Zone, isLong: boolean): string {
  const options: Intl.DateTimeFormatOptions =
    grain === "minute" || grain === "hour"
      ? { hour: "2-digit", minute: "2-digit", ...(isLong ? { day: "numeric", month: "short" } : {}) }
      : grain === "month"
        ? { month: "short", year: "2-digit" }
        : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(language, { ...options, timeZone: tz }).format(new Date(value));
}

export function ago(then: string, now = Date.now()): string {
  const seconds = Math.round((Date.parse(then) - now) / 1000);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
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
