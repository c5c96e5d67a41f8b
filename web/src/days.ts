// Days of a zone as instants, and back: what people pick in a calendar, and what the API is asked.

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** How far a zone's clock is ahead of UTC at an instant, in milliseconds. */
function ahead(instant: number, tz: string): number {
  const options: Intl.DateTimeFormatOptions = { timeZone: tz, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" };
  const parts = new Intl.DateTimeFormat("en-US", options).formatToParts(instant);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  const wall = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"));
  return wall - Math.floor(instant / 60_000) * 60_000;
}

const text = (instant: number): string => new Date(instant).toISOString().replace(".000Z", "Z");

/** The day of a zone, as 2026-05-01, that an instant lies in. */
export function dayOf(instant: number, tz: string): string {
  return new Date(instant + ahead(instant, tz)).toISOString().slice(0, 10);
}

/** The first instant of a zone's day. */
export function begin(day: string, tz: string): string {
  const wall = Date.parse(`${day}T00:00:00Z`);
  let instant = wall - ahead(wall, tz);
  instant = wall - ahead(instant, tz);
  if (dayOf(instant, tz) < day) instant += HOUR_MS; // a day that begins at one o'clock
  return text(instant);
}

export function after(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

function month(day: string, more: number): string {
  const [year, of] = day.split("-").map(Number) as [number, number];
  return new Date(Date.UTC(year, of - 1 + more, 1)).toISOString().slice(0, 10);
}

export type Range = { since: string; until: string };

/** Ranges that people ask for by name, in a zone. */
export const NAMED: Record<string, (tz: string) => Range> = {
  Today: (tz) => days(dayOf(Date.now(), tz), after(dayOf(Date.now(), tz), 1), tz),
  Yesterday: (tz) => days(after(dayOf(Date.now(), tz), -1), dayOf(Date.now(), tz), tz),
  "This month": (tz) => days(month(dayOf(Date.now(), tz), 0), month(dayOf(Date.now(), tz), 1), tz),
  "Last month": (tz) => days(month(dayOf(Date.now(), tz), -1), month(dayOf(Date.now(), tz), 0), tz),
  "Last 3 months": (tz) => days(month(dayOf(Date.now(), tz), -3), month(dayOf(Date.now(), tz), 0), tz),
};

/** From the beginning of a day to the beginning of another. */
export function days(first: string, end: string, tz: string): Range {
  return { since: begin(first, tz), until: begin(end, tz) };
}
