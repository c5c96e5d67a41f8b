// The row of filters: which organization, which time, whose clock.

import { useEffect, useMemo, useRef } from "preact/hooks";
import { isByMonth } from "./answers";
import type { Me, Organization, Panel } from "./api";
import { Choice, type Option } from "./choice";
import { after, dayOf, days, NAMED } from "./days";
import { day } from "./numbers";
import { FRAMES, go, link, type State } from "./state";

const GRAINS = ["minute", "hour", "day", "week", "month"];
const ZONES: Option[] = Intl.supportedValuesOf("timeZone").map((zone) => ({ value: zone, text: zone }));

export function Filters({ me, organizations, panels, state }: { me: Me; organizations: Organization[]; panels: Panel[]; state: State }) {
  const takes = (name: string) => panels.some((panel) => panel.parameters[name] === `$${name}`);
  return (
    <form class="filters" role="search" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {takes("tenant") && state.tab !== "customer" && <Whose me={me} organizations={organizations} state={state} />}
      {state.token && takes("token") && (
        <a class="chip" href={link({ token: "" })} aria-label={`Token ${state.token}: show all again`}>
          token {state.token} ×
        </a>
      )}
      {state.tab === "customer" && (
        <a class="chip" href={link({ tab: "customers", customer: "" })}>
          ← All customers
        </a>
      )}
      {panels.some((panel) => panel.parameters["since"] === "$since" && !isByMonth(panel)) && (
        <fieldset class="frames">
          <legend class="hidden">Time frame</legend>
          {FRAMES.map((frame) => (
            <button key={frame} type="button" aria-pressed={!state.since && state.frame === frame} onClick={() => go({ frame, since: "", until: "", grain: "" })}>
              {frame}
            </button>
          ))}
          <Named name="Last month" state={state} />
        </fieldset>
      )}
      {takes("since") && <Range state={state} />}
      {takes("grain") && (
        <select aria-label="Buckets" value={state.grain} onChange={(event) => go({ grain: event.currentTarget.value })}>
          <option value="">Automatic buckets</option>
          {GRAINS.map((one) => (
            <option key={one} value={one}>
              By {one}
            </option>
          ))}
        </select>
      )}
      <span class="zone">
        <Choice label="Time zone" value={state.zone} options={ZONES} choose={(zone) => go({ tz: zone })} isFree size={18} />
      </span>
    </form>
  );
}

function Whose({ me, organizations, state }: { me: Me; organizations: Organization[]; state: State }) {
  const all = me.scope === "*" ? "All organizations" : "Choose an organization";
  const options = useMemo(
    () => [{ value: "", text: all }, ...organizations.map((one) => ({ value: one.tenant, text: one.name }))],
    [organizations, all],
  );
  if (me.scope !== "*" && me.scope.length === 1) return <output class="chip">{organizations[0]?.name ?? me.scope[0]}</output>;
  return <Choice label="Organization" value={state.tenant} options={options} choose={(tenant) => go({ tenant, token: "" })} isFree size={20} />;
}

const isChosen = (name: string, state: State): boolean => {
  const range = NAMED[name]?.(state.tz);
  return range?.since === state.since && range.until === state.until;
};

function Named({ name, state }: { name: string; state: State }) {
  return (
    <button type="button" aria-pressed={isChosen(name, state)} onClick={() => go({ frame: "", grain: "", ...NAMED[name]?.(state.tz) })}>
      {name}
    </button>
  );
}

/** A range of one's own: whole days of the zone, both included. */
function Range({ state }: { state: State }) {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const elsewhere = (event: Event) => {
      if (box.current?.open && !box.current.contains(event.target as Node)) box.current.open = false;
    };
    addEventListener("pointerdown", elsewhere);
    return () => removeEventListener("pointerdown", elsewhere);
  }, []);
  const at = (instant: string, less: number) => (Number.isNaN(Date.parse(instant)) ? "" : dayOf(Date.parse(instant) - less, state.tz));
  const first = at(state.since, 0);
  const last = at(state.until, 1);
  const set = (from: string, to: string) => {
    if (from) go({ frame: "", ...days(from, to && to >= from ? after(to, 1) : after(from, 1), state.tz) });
  };
  const name = Object.keys(NAMED).find((one) => isChosen(one, state));
  return (
    <details class="range" ref={box} onKeyDown={(event) => event.key === "Escape" && (event.currentTarget.open = false)}>
      <summary>{first && name !== "Last month" ? (name ?? `${day(first)} – ${last ? day(last) : "now"}`) : "Custom"}</summary>
      <div>
        <fieldset>
          <legend class="hidden">Ranges by name</legend>
          {Object.keys(NAMED).map((one) => (
            <Named key={one} name={one} state={state} />
          ))}
        </fieldset>
        <label>
          From
          <input type="date" value={first} onChange={(event) => set(event.currentTarget.value, last)} />
        </label>
        <label>
          To, included
          <input type="date" value={last} onChange={(event) => set(first || event.currentTarget.value, event.currentTarget.value)} />
        </label>
      </div>
    </details>
  );
}
