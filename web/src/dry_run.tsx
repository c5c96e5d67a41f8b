// What a metric comes to before it is saved: asked again at each change, shown as customers will see it.

import { useEffect, useState } from "preact/hooks";
import { ask, type Cell, Refused, type Row } from "./api";
import { type Draft, isWhole, OPERATORS, sentence, written } from "./metric";
import { amount, changeOf, count } from "./numbers";
import { Metric } from "./metric_cards";
import type { Property } from "./seen";
import { Said } from "./stats";

const WAIT_MS = 350;

type Found = {
  version: number | null;
  values: Row[];
  totals: { tenants: number; events: number; missing: number; not_numeric: number; not_exact: number; differ: number };
  sparkline: { day: string; value: Cell }[];
  funnel: { filter: { property: string; operator: string } | null; events: number }[];
  properties: (Property & { sentence: string })[];
  warnings: { field: string; message: string }[];
};

export function DryRun({ draft, names, refuse }: { draft: Draft; names: Map<string, string>; refuse: (field: string, message: string) => void }) {
  const [found, put] = useState<Found | null>(null);
  const [refused, say] = useState("");
  const [isWaiting, wait] = useState(false);
  const body = isWhole(draft) ? written({ ...draft, name: draft.name.trim() || "Your metric" }) : "";
  useEffect(() => {
    if (!body) return put(null);
    const asking = new AbortController();
    const due = setTimeout(() => {
      wait(true);
      ask<Found>("/v1/metrics/dry-run", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal: asking.signal }).then(
        (answer) => (put(answer), say(""), wait(false), refuse("", "")),
        (error: unknown) => {
          if (asking.signal.aborted) return;
          wait(false);
          say(error instanceof Error ? error.message : "the API does not answer");
          if (error instanceof Refused) refuse(error.parameter, error.message);
        },
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(due);
      asking.abort();
    };
  }, [body]);
  return (
    <section class="card preview" aria-label="Dry run" aria-busy={isWaiting}>
      <header>
        <h2>Dry run</h2>
        <small>{isWaiting ? "asking…" : found ? "of what is kept, nothing is saved yet" : ""}</small>
      </header>
      <p class="muted">{sentence(draft)}</p>
      {refused && body ? <p class="why">{refused}</p> : !found ? <p class="empty">{body ? "Asking what it comes to…" : invitation(draft)}</p> : <Outcome found={found} draft={draft} names={names} />}
    </section>
  );
}

const invitation = (draft: Draft): string => (draft.source !== "events" || draft.match.some(Boolean) ? "Say the rest of it, and what it comes to is here." : "Choose an event, and its values for your customers are here at once.");

function Outcome({ found, draft, names }: { found: Found; draft: Draft; names: Map<string, string> }) {
  const currency = draft.format === "currency" ? draft.currency : "";
  const first = found.values[0];
  const { totals } = found;
  return (
    <>
      {found.warnings.length > 0 && (
        <ul class="warnings" aria-label="Warnings">
          {found.warnings.map((one) => (
            <li key={one.field + one.message}>{one.message}</li>
          ))}
        </ul>
      )}
      {first && (
        <div class="as-shown">
          <Metric row={{ ...first, name: draft.name || "Your metric", metric_id: "dry-run", currency }} days={found.sparkline} interval={draft.interval} isNumber={draft.display !== "sparkline"} />
          <small>as it will be shown for {names.get(String(first["tenant"])) ?? String(first["tenant"])}</small>
        </div>
      )}
      <p class="totals">
        <strong>{count(totals.tenants)}</strong> organizations, <strong>{count(totals.events)}</strong> events
        {totals.missing > 0 && <>, {count(totals.missing)} without the property</>}
        {totals.not_numeric > 0 && <>, {count(totals.not_numeric)} not a number</>}
        {totals.not_exact > 0 && <>, {count(totals.not_exact)} too long to be exact</>}
        {found.version !== null && <>; {totals.differ ? `${count(totals.differ)} values differ from version ${found.version}` : `the same as version ${found.version}`}</>}
      </p>
      <Values found={found} currency={currency} names={names} />
      <Funnel found={found} />
      {found.properties.map((one) => (
        <Kinds key={one.path} of={one} />
      ))}
    </>
  );
}

function Values({ found, currency, names }: { found: Found; currency: string; names: Map<string, string> }) {
  const isChange = found.version !== null;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Organization</th>
          <th scope="col" class="number">
            Value
          </th>
          <th scope="col" class="number">
            Change
          </th>
          {isChange && (
            <th scope="col" class="number">
              Version {found.version}
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {found.values.slice(0, 5).map((row) => {
          const changed = changeOf(row["change_percent"] ?? null, String(row["state"]));
          return (
            <tr key={String(row["tenant"])}>
              <td>{names.get(String(row["tenant"])) ?? String(row["tenant"])}</td>
              <td class="number" title={String(row["value"] ?? "")}>
                {amount(row["value"] ?? null, currency)}
              </td>
              <td class="number">{changed ? (
                  <span class={`change ${changed.direction}`}>
                    <Said changed={changed} />
                  </span>
                ) : (
                  "–"
                )}</td>
              {isChange && <td class="number">{amount(row["was"] ?? null, currency)}</td>}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Funnel({ found }: { found: Found }) {
  const most = Math.max(1, found.funnel[0]?.events ?? 1);
  return (
    <ol class="bars funnel" aria-label="Events that each filter leaves">
      {found.funnel.map((one, place) => (
        <li key={place}>
          <span class="meter" style={{ width: `${(100 * one.events) / most}%` }} />
          <span class="name">{one.filter ? `${one.filter.property} ${OPERATORS[one.filter.operator] ?? one.filter.operator}` : "matching events"}</span>
          <b>{count(one.events)}</b>
        </li>
      ))}
    </ol>
  );
}

function Kinds({ of }: { of: Property & { sentence: string } }) {
  const odd = Object.entries(of.examples).filter(([kind]) => kind !== "number");
  return (
    <p class="kinds">
      {of.sentence}
      {odd.flatMap(([kind, some]) => (some.length ? [<br key={kind} />, <small key={`${kind} examples`}>{`${kind}: ${some.slice(0, 3).join(" · ")}`}</small>] : []))}
    </p>
  );
}

