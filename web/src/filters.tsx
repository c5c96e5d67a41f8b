// The row of filters: which organization, which time, whose clock.

import type { Me, Organization, Panel } from "./api";
import { FRAMES, go, link, type State } from "./state";

const GRAINS = ["minute", "hour", "day", "week", "month"];

export function Filters({ me, organizations, panels, state, fresh }: { me: Me; organizations: Organization[]; panels: Panel[]; state: State; fresh: string }) {
  const takes = (name: string) => panels.some((panel) => panel.parameters[name] === `$${name}`);
  const isChoice = me.scope === "*" || me.scope.length > 1;
  const zones = Intl.supportedValuesOf("timeZone");
  return (
    <form class="filters" role="search" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      {takes("tenant") && state.tab !== "customer" && (
        <label>
          Organization
          {isChoice ? (
            <select value={state.tenant} onChange={(event) => go({ tenant: event.currentTarget.value, token: "" })}>
              <option value="">{me.scope === "*" ? "All" : "Choose one"}</option>
              {organizations.map((one) => (
                <option key={one.tenant} value={one.tenant}>
                  {one.name}
                </option>
              ))}
            </select>
          ) : (
            <output>{organizations[0]?.name ?? me.scope[0]}</output>
          )}
        </label>
      )}
      {state.token && takes("token") && (
        <a class="chip" href={link({ token: "" })} aria-label={`Token ${state.token}: show all again`}>
          token {state.token} ×
        </a>
      )}
      {state.tab === "customer" && (
        <a class="chip" href={link({ tab: "customers", customer: "" })}>
          all customers ×
        </a>
      )}
      {takes("since") && (
        <fieldset>
          <legend>Time frame</legend>
          {FRAMES.map((frame) => (
            <button key={frame} type="button" aria-pressed={!state.since && state.frame === frame} onClick={() => go({ frame, since: "", until: "", grain: "" })}>
              {frame}
            </button>
          ))}
        </fieldset>
      )}
      {takes("since") && <Range state={state} />}
      {takes("grain") && (
        <label>
          Buckets
          <select value={state.grain} onChange={(event) => go({ grain: event.currentTarget.value })}>
            <option value="">by the range</option>
            {GRAINS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      )}
      <label>
        Time zone
        <input list="zones" value={state.tz} size={18} onChange={(event) => go({ tz: event.currentTarget.value })} />
        <datalist id="zones">
          {zones.map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
      </label>
      <output class="fresh" aria-live="off">
        {fresh}
      </output>
    </form>
  );
}

function Range({ state }: { state: State }) {
  const days = (text: string) => (/^\d{4}-\d{2}-\d{2}/.test(text) ? text.slice(0, 10) : "");
  return (
    <>
      <label>
        From
        <input type="date" value={days(state.since)} onChange={(event) => go({ since: event.currentTarget.value, frame: "" })} />
      </label>
      <label>
        To, not included
        <input type="date" value={days(state.until)} onChange={(event) => go({ until: event.currentTarget.value, frame: "" })} />
      </label>
    </>
  );
}
