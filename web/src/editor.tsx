// The editor of one user-defined metric: the form, beside what it comes to.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { TargetedInputEvent } from "preact";
import { ask, Refused } from "./api";
import { Choice, type Option } from "./choice";
import { DryRun } from "./dry_run";
import { CALCULATIONS, type Condition, type Definition, type Draft, draftOf, EMPTY, idOf, INTERVALS, isList, isUnary, KEPT, kindOf, OPERATORS, reviver, sentence, SOURCES, written } from "./metric";
import { go } from "./state";
import { useSeenEvents, useSeenProperties } from "./seen";
import { ago } from "./numbers";

type Props = { of: Definition | null; names: Map<string, string>; saved: (told: string) => void };
type Errors = { field: string; message: string } | null;

export function Editor({ of, names, saved }: Props) {
  const [draft, put] = useState<Draft>(() => (of ? draftOf(of) : EMPTY));
  const [base, setBase] = useState(of?.version ?? 0);
  const [wrong, say] = useState<Errors>(null);
  const [conflict, clash] = useState("");
  const [isSaving, busy] = useState(false);
  const change = (changes: Partial<Draft>) => put((before) => ({ ...before, ...changes }));
  const id = of?.metric_id ?? idOf(draft.name);
  const save = async (version: number | "any") => {
    busy(true);
    say(null);
    clash("");
    try {
      const expected: Record<string, string> = version === "any" ? { "If-Match": "*" } : version ? { "If-Match": `"${version}"` } : { "If-None-Match": "*" };
      const headers = { "Content-Type": "application/json", ...expected };
      const answer = await ask<Definition & { detail?: string }>(`/v1/metrics/${id}`, { method: "PUT", headers, body: written({ ...draft, id }), reviver });
      saved(answer.detail ?? `Saved: every customer has “${answer.name}” now (version ${answer.version}).`);
    } catch (error) {
      const refused = error instanceof Refused ? error : new Refused(0, "the API does not answer");
      if (refused.status === 412 || refused.status === 428) clash(refused.message);
      else say({ field: refused.parameter, message: refused.message });
    } finally {
      busy(false);
    }
  };
  const newest = async () => {
    const found = await ask<Definition>(`/v1/metrics/${id}`, { reviver });
    put(draftOf(found));
    setBase(found.version);
    clash("");
  };
  return (
    <form
      class="editor"
      aria-label={of ? `Change ${of.name}` : "Add a usage metric"}
      onSubmit={(event) => (event.preventDefault(), void save(base))}
    >
      <div class="card form">
        <Fields draft={draft} change={change} wrong={wrong} />
        {conflict && (
          <div class="conflict" role="alert">
            <p>{conflict}.</p>
            <button type="button" onClick={() => void newest()}>
              Show what is in force
            </button>
            <button type="button" onClick={() => void save("any")}>
              Save mine over it
            </button>
          </div>
        )}
        {wrong && (
          <p role="alert" class="why">
            {wrong.message}
          </p>
        )}
        <div class="actions">
          {of && <Retire of={of} version={base} saved={saved} refuse={clash} />}
          <button type="button" onClick={() => go({ metric: "" })}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isSaving || !draft.name.trim()}>
            {isSaving ? "Saving…" : of ? "Save" : "Save metric"}
          </button>
        </div>
        {of && <Versions id={of.metric_id} />}
      </div>
      <DryRun draft={{ ...draft, id: of ? id : "" }} names={names} refuse={(field, message) => say(field ? { field, message } : null)} />
    </form>
  );
}

type Part = { draft: Draft; change: (changes: Partial<Draft>) => void; wrong: Errors };

function Fields({ draft, change, wrong }: Part) {
  const isEvents = draft.source === "events";
  const { options: properties } = useSeenProperties(isEvents ? draft.match : [], draft.source);
  const kept = KEPT[draft.source];
  const calculations = kept ? kept.calculations : Object.keys(CALCULATIONS);
  const turn = (source: string) => change({ source, calculation: "count", property: "", filters: [], ...(source === "events" ? {} : { match: [] }), ...(source === "events" && draft.match.length === 0 ? { match: [""] } : {}) });
  return (
    <>
      <label>
        Name
        <input name="name" value={draft.name} maxLength={80} required placeholder="API calls" aria-invalid={wrong?.field === "name"} onInput={(event) => change({ name: event.currentTarget.value })} />
        <small>The column title shown in customer lists</small>
      </label>
      <label>
        Count
        <select name="source" value={draft.source} onChange={(event) => turn(event.currentTarget.value)}>
          {Object.entries(SOURCES).map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {isEvents && <Matchers draft={draft} change={change} wrong={wrong} />}
      <Filters draft={draft} change={change} wrong={wrong} properties={properties} />
      <div class="two">
        <label>
          Calculation
          <select name="calculation" value={draft.calculation} onChange={(event) => change({ calculation: event.currentTarget.value, ...(kept && !draft.property ? { property: kept.numbers[0] ?? "" } : {}) })}>
            {calculations.map((one) => (
              <option key={one} value={one}>
                {isEvents ? CALCULATIONS[one] : CALCULATIONS[one]?.replace("events", (SOURCES[draft.source] ?? "").toLowerCase())}
              </option>
            ))}
          </select>
        </label>
        {draft.calculation !== "count" && (
          <Choice isShown isFree label={draft.calculation === "sum" ? "Property to sum" : "Property"} value={draft.property} options={kept ? kept.numbers.map((one) => ({ value: one, text: one })) : properties} choose={(property) => change({ property })} placeholder="amount" />
        )}
      </div>
      <div class="two">
        <label>
          Interval
          <select name="interval" value={draft.interval} onChange={(event) => change({ interval: Number(event.currentTarget.value) })}>
            {INTERVALS.map((one) => (
              <option key={one} value={one}>
                {one} days
              </option>
            ))}
          </select>
        </label>
        <label>
          Display
          <select name="display" value={draft.display} onChange={(event) => change({ display: event.currentTarget.value })}>
            <option value="number">Number</option>
            <option value="sparkline">Sparkline</option>
          </select>
        </label>
        <label>
          Format
          <select name="format" value={draft.format} onChange={(event) => change({ format: event.currentTarget.value })}>
            <option value="numeric">Numeric</option>
            <option value="currency">Currency</option>
          </select>
        </label>
        {draft.format === "currency" && (
          <Choice isShown isFree label="Currency" value={draft.currency} options={CURRENCIES} choose={(currency) => change({ currency })} size={8} />
        )}
      </div>
    </>
  );
}

const CURRENCIES: Option[] = ((): Option[] => {
  const names = new Intl.DisplayNames(navigator.language, { type: "currency" });
  return Intl.supportedValuesOf("currency").map((code) => ({ value: code, text: code, note: names.of(code) ?? "" }));
})();

function Matchers({ draft, change, wrong }: Part) {
  const options = useSeenEvents();
  const set = (place: number, name: string) => change({ match: draft.match.map((one, at) => (at === place ? name : one)) });
  return (
    <fieldset>
      <legend>Match events</legend>
      {draft.match.map((name, place) => (
        <div key={place} class={wrong?.field === `match[${place}]` ? "matcher wrong" : "matcher"}>
          {place > 0 && <small class="or">or</small>}
          <Choice isFree label={`Event ${place + 1}`} value={name} options={options} choose={(value) => set(place, value)} placeholder="api_request" size={24} />
          {draft.match.length > 1 && <Remove what={`event ${place + 1}`} at={() => change({ match: draft.match.filter((_, at) => at !== place) })} />}
        </div>
      ))}
      <button type="button" class="add" onClick={() => change({ match: [...draft.match, ""] })}>
        + Add event matcher
      </button>
    </fieldset>
  );
}

function Filters({ draft, change, wrong, properties }: Part & { properties: Option[] }) {
  const set = (place: number, changes: Partial<Condition>) => change({ filters: draft.filters.map((one, at) => (at === place ? { ...one, ...changes } : one)) });
  const fields = KEPT[draft.source]?.filters.map((one) => ({ value: one, text: one })) ?? [...properties, { value: "$user_id", text: "$user_id", note: "who did it" }];
  return (
    <fieldset>
      <legend>Filters</legend>
      {draft.filters.map((one, place) => (
        <div key={place} class={wrong?.field.startsWith(`filters[${place}]`) ? "matcher wrong" : "matcher"}>
          {place > 0 && <small class="or">and</small>}
          <Choice isFree label={`Property of filter ${place + 1}`} value={one.property} options={fields} choose={(property) => set(place, { property })} placeholder="status" size={14} />
          <select aria-label={`Operator of filter ${place + 1}`} value={one.operator} onChange={(event) => set(place, { operator: event.currentTarget.value })}>
            {Object.entries(OPERATORS).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
          {!isUnary(one.operator) && <Value of={one} place={place} set={(changes) => set(place, changes)} />}
          <Remove what={`filter ${place + 1}`} at={() => change({ filters: draft.filters.filter((_, at) => at !== place) })} />
        </div>
      ))}
      <button type="button" class="add" onClick={() => change({ filters: [...draft.filters, { property: "", operator: "exact", kind: "auto", text: "" }] })}>
        + Add filter
      </button>
    </fieldset>
  );
}

function Value({ of, place, set }: { of: Condition; place: number; set: (changes: Partial<Condition>) => void }) {
  const isMany = isList(of.operator);
  const read = kindOf(of.text.split("\n")[0] ?? "", of.operator, of.kind);
  const common = {
    "aria-label": `Value of filter ${place + 1}`,
    value: of.text,
    onInput: (event: TargetedInputEvent<HTMLInputElement & HTMLTextAreaElement>) => set({ text: event.currentTarget.value }),
  };
  return (
    <>
      {isMany ? (
        <textarea {...common} rows={Math.min(6, Math.max(2, of.text.split("\n").length))} placeholder={of.operator === "between" ? "two values,\none a line" : "one a line"} />
      ) : (
        <input {...common} size={12} placeholder="200" />
      )}
      <select aria-label={`Kind of value of filter ${place + 1}`} class="kind" value={of.kind} disabled={/contains|regex/.test(of.operator)} onChange={(event) => set({ kind: event.currentTarget.value as Condition["kind"] })}>
        <option value="auto">{of.text ? `as ${read === "boolean" ? "true/false" : read}` : "as it reads"}</option>
        <option value="text">text</option>
        <option value="number">number</option>
        <option value="boolean">true/false</option>
        <option value="date">date</option>
      </select>
    </>
  );
}

function Remove({ what, at }: { what: string; at: () => void }) {
  return (
    <button type="button" class="remove" aria-label={`Remove ${what}`} onClick={at}>
      ×
    </button>
  );
}

function Retire({ of, version, saved, refuse }: { of: Definition; version: number; saved: (told: string) => void; refuse: (message: string) => void }) {
  const [isSure, ask_] = useState(false);
  const retire = async () => {
    try {
      await ask(`/v1/metrics/${of.metric_id}`, { method: "DELETE", headers: { "If-Match": `"${version}"` } });
      saved(`“${of.name}” is retired; its versions are kept.`);
    } catch (error) {
      refuse(error instanceof Error ? error.message : "the API does not answer");
    }
  };
  return (
    <button type="button" class={isSure ? "danger first" : "first"} onClick={() => (isSure ? void retire() : ask_(true))} onBlur={() => ask_(false)}>
      {isSure ? "Retire it for all customers" : "Retire"}
    </button>
  );
}

function Versions({ id }: { id: string }) {
  const [found, put] = useState<Definition[]>([]);
  useEffect(() => void ask<{ versions: Definition[] }>(`/v1/metrics/${id}/versions`, { reviver }).then(({ versions }) => put(versions), () => put([])), [id]);
  const newest = useMemo(() => [...found].reverse(), [found]);
  if (newest.length < 2) return null;
  return (
    <details class="versions">
      <summary>{newest.length} versions</summary>
      <ol reversed>
        {newest.map((one) => (
          <li key={one.version}>
            <span>{one.name}</span>: {sentence(draftOf(one))} <small>{ago(one.defined_at)}</small>
          </li>
        ))}
      </ol>
    </details>
  );
}
