// A user-defined metric: as the API has it, and as a form has it. Nothing here draws or asks.

export const INTERVALS = [7, 30, 90] as const;
export const CALCULATIONS: Record<string, string> = {
  count: "Count of events",
  sum: "Sum of property",
  average: "Average of property",
  min: "Smallest of property",
  max: "Largest of property",
  unique: "Different values of property",
  p50: "Median of property",
  p90: "90th percentile of property",
  p95: "95th percentile of property",
  p99: "99th percentile of property",
};
export const OPERATORS: Record<string, string> = {
  exact: "is exactly",
  is_not: "is not",
  contains: "contains",
  not_contains: "does not contain",
  regex: "matches regex",
  not_regex: "does not match regex",
  gt: ">",
  gte: "≥",
  lt: "<",
  lte: "≤",
  between: "is between",
  in: "is one of",
  not_in: "is none of",
  is_set: "is set",
  is_not_set: "is not set",
};
export const SOURCES: Record<string, string> = { events: "Product events", requests: "API requests", actions: "Recipe actions" };
/** What is kept of requests and of actions: numbers to calculate with, and what filters may name. */
export const KEPT: Record<string, { numbers: string[]; filters: string[]; calculations: string[] }> = {
  requests: {
    numbers: ["requests", "input_tokens", "output_tokens", "total_tokens", "cost", "duration_ms"],
    filters: ["team_id", "agent_id", "token_id", "user_id", "model", "operation", "failed"],
    calculations: ["count", "sum", "average"],
  },
  actions: { numbers: ["actions", "tasks"], filters: ["recipe_id", "app", "failed"], calculations: ["count", "sum", "average"] },
};

/** A number with the digits that it was written with. */
export class Digits {
  constructor(readonly text: string) {}
}

type Operand = string | boolean | Digits | { date: string };
export type Filter = { property: string; operator: string; value?: Operand | Operand[] };
export type Definition = {
  metric_id: string;
  name: string;
  interval_days: number;
  format?: string;
  currency?: string;
  display?: string;
  calculation?: string;
  property?: string;
  match?: string[];
  filters?: Filter[];
  source?: string;
  version: number;
  defined_at: string;
};

const OF_ITSELF = new Set(["interval_days", "version"]);

/** Reads a document with definitions: operands keep all their digits. */
export function reviver(key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== "number" || OF_ITSELF.has(key)) return value;
  return new Digits(context?.source ?? String(value));
}

export type Kind = "auto" | "text" | "number" | "boolean" | "date";
export type Condition = { property: string; operator: string; kind: Kind; text: string };
export type Draft = {
  id: string;
  name: string;
  interval: number;
  format: string;
  currency: string;
  display: string;
  calculation: string;
  property: string;
  source: string;
  match: string[];
  filters: Condition[];
};

export const EMPTY: Draft = { id: "", name: "", interval: 30, format: "numeric", currency: "EUR", display: "number", calculation: "count", property: "", source: "events", match: [""], filters: [] };

export const isList = (operator: string): boolean => operator === "in" || operator === "not_in" || operator === "between";
export const isUnary = (operator: string): boolean => operator === "is_set" || operator === "is_not_set";
const isText = (operator: string): boolean => /contains|regex/.test(operator);

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const DATE = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([Zz]|[+-]\d{2}:\d{2})$/;

/** A text in quotes, as JSON has it: a text whatever it reads as, an empty one, one of several lines. */
const QUOTED = /^"(?:[^"\\]|\\.)*"$/;

/** As what a text is taken. */
export function kindOf(text: string, operator: string, kind: Kind): Exclude<Kind, "auto"> {
  if (isText(operator)) return "text";
  if (kind !== "auto") return kind;
  if (QUOTED.test(text.trim())) return "text";
  if (NUMBER.test(text.trim())) return "number";
  if (text.trim() === "true" || text.trim() === "false") return "boolean";
  return DATE.test(text.trim()) ? "date" : "text";
}

const MARK = "\u0001number ";

/** An operand as JSON is made of it; numbers marked, so that their digits come through. */
function operand(text: string, { operator, kind }: Condition): unknown {
  switch (kindOf(text, operator, kind)) {
    case "number":
      return NUMBER.test(text.trim()) ? MARK + text.trim() : text;
    case "boolean":
      return text.trim() === "true";
    case "date":
      return { date: text.trim() };
    default:
      return kind === "auto" && !isText(operator) && QUOTED.test(text.trim()) ? unquoted(text.trim()) : text;
  }
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    return text;
  }
}

/** The definition of a draft as JSON. */
export function written(draft: Draft): string {
  const isEvents = draft.source === "events";
  const made = {
    ...(draft.id ? { metric_id: draft.id } : {}),
    name: draft.name.trim(),
    interval_days: draft.interval,
    format: draft.format,
    ...(draft.format === "currency" ? { currency: draft.currency.trim().toUpperCase() } : {}),
    display: draft.display,
    calculation: draft.calculation,
    ...(draft.calculation === "count" ? {} : { property: draft.property }),
    ...(isEvents ? { match: draft.match.filter((name) => name !== "") } : { source: draft.source }),
    filters: draft.filters.map((one) => ({
      property: one.property,
      operator: one.operator,
      ...(isUnary(one.operator) ? {} : { value: isList(one.operator) ? one.text.split("\n").filter((line) => line !== "").map((line) => operand(line, one)) : operand(one.text, one) }),
    })),
  };
  return JSON.stringify(made).replace(/"\\u0001number ([^"]*)"/g, "$1");
}

function shownOperand(value: Operand | undefined): { kind: Kind; text: string } {
  if (value instanceof Digits) return { kind: "number", text: value.text };
  if (typeof value === "boolean") return { kind: "boolean", text: String(value) };
  if (typeof value === "object") return { kind: "date", text: value.date };
  return { kind: "text", text: value ?? "" };
}

const readsAsItself = (text: string, operator: string): boolean => text !== "" && !text.includes("\n") && !QUOTED.test(text.trim()) && kindOf(text, operator, "auto") === "text";

export function draftOf(of: Definition): Draft {
  const filters = (of.filters ?? []).map(({ property, operator, value }) => {
    const values = Array.isArray(value) ? value.map(shownOperand) : [shownOperand(value)];
    const kinds = new Set(values.map((one) => one.kind));
    const isPlain = isUnary(operator) || isText(operator) || values.every((one) => one.text !== "" && !one.text.includes("\n"));
    // Else each as it reads, texts that would read as something else in quotes.
    const kind = kinds.size === 1 && isPlain ? ([...kinds][0] ?? "auto") : "auto";
    const text = values.map((one) => (kind === "auto" && one.kind === "text" && !readsAsItself(one.text, operator) ? JSON.stringify(one.text) : one.text));
    return { property, operator, kind, text: text.join("\n") };
  });
  return {
    id: of.metric_id,
    name: of.name,
    interval: of.interval_days,
    format: of.format ?? "numeric",
    currency: of.currency ?? "EUR",
    display: of.display ?? "number",
    calculation: of.calculation ?? "count",
    property: of.property ?? "",
    source: of.source ?? "events",
    match: of.match?.length ? of.match : [""],
    filters,
  };
}

/** What a metric is known by, made of its name. */
export const idOf = (name: string): string =>
  name.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 64);

/** Whether there is enough of it to be tried. */
export function isWhole(draft: Draft): boolean {
  const hasEvents = draft.source !== "events" || draft.match.some((name) => name !== "");
  const hasProperty = draft.calculation === "count" || draft.property !== "";
  return hasEvents && hasProperty && draft.filters.every((one) => one.property !== "" && (isUnary(one.operator) || one.text !== ""));
}

/** A definition in a sentence. */
export function sentence(draft: Draft): string {
  const what = draft.calculation === "count" ? "Count" : (CALCULATIONS[draft.calculation] ?? "").replace("property", draft.property || "…");
  const events = draft.source === "events" ? draft.match.filter(Boolean).join(" or ") : (SOURCES[draft.source] ?? "").toLowerCase();
  const where = draft.filters.map((one) => `${one.property} ${OPERATORS[one.operator]}${isUnary(one.operator) ? "" : ` ${one.text.split("\n").join(", ")}`}`);
  return `${what} of ${events || "…"}${where.length ? ` where ${where.join(" and ")}` : ""}, last ${draft.interval} days`;
}
