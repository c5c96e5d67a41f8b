// Generate report (C6): chosen data points and the period on the screen, as a file made by the API.

import { useEffect, useRef, useState } from "preact/hooks";
import { get, type Panel, post, Refused, type Report } from "./api";
import type { State } from "./state";

const FORMATS = ["xlsx", "csv", "json", "parquet"];
const TABS = ["dashboard", "analytics", "users", "billing"];
const LOOK_MS = 700;

export function Reports({ panels, state }: { panels: Panel[]; state: State }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const offered = [...new Map(panels.filter((panel) => TABS.includes(panel.tab)).map((panel) => [panel.view, panel])).values()];
  return (
    <>
      <button type="button" class="primary" onClick={() => dialog.current?.showModal()}>
        Generate report
      </button>
      <dialog ref={dialog} aria-labelledby="report-title">
        <Form offered={offered} state={state} close={() => dialog.current?.close()} />
      </dialog>
    </>
  );
}

function Form({ offered, state, close }: { offered: Panel[]; state: State; close: () => void }) {
  const [views, choose] = useState<string[]>([]);
  const [format, formatAs] = useState("xlsx");
  const [report, put] = useState<Report | null>(null);
  const [wrong, say] = useState("");
  useEffect(() => {
    if (!report || report.status === "done" || report.status === "failed") return;
    const due = setTimeout(() => get<Report>(`/v1/reports/${report.id}`).then(put, (error: Error) => say(error.message)), LOOK_MS);
    return () => clearTimeout(due);
  }, [report]);
  const generate = (event: Event) => {
    event.preventDefault();
    say("");
    const wanted = {
      views,
      format,
      tz: offered.some((panel) => views.includes(panel.view) && "tz" in panel.parameters) ? state.zone : "",
      since: state.since || state.frame,
      until: state.since ? state.until : "",
      organizations: state.tenant ? [state.tenant] : [],
    };
    post<Report>("/v1/reports", wanted).then(put, (error: unknown) => say(error instanceof Refused ? error.message : "the API does not answer"));
  };
  const isBusy = report?.status === "queued" || report?.status === "running";
  return (
    <form onSubmit={generate}>
      <h2 id="report-title">Generate report</h2>
      <p class="muted">{state.tenant ? state.tenant : "All of your organizations"}, {state.since ? `${state.since} to ${state.until || "now"}` : `the last ${state.frame}`}</p>
      <fieldset>
        <legend>Data points</legend>
        {offered.map((panel) => (
          <label key={panel.view} class="check">
            <input type="checkbox" checked={views.includes(panel.view)} onChange={(event) => choose(event.currentTarget.checked ? [...views, panel.view] : views.filter((one) => one !== panel.view))} />
            {panel.tab_title}: {panel.title}
          </label>
        ))}
      </fieldset>
      <label>
        Format
        <select value={format} onChange={(event) => formatAs(event.currentTarget.value)}>
          {FORMATS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <p role="status">
        {wrong && <span class="why">{wrong}</span>}
        {isBusy && `${report.status}: ${report.rows} rows`}
        {report?.status === "failed" && <span class="why">{report.error}</span>}
        {report?.status === "done" && report.file && (
          <a href={report.file} download={report.file_name}>
            {report.file_name} ({report.rows} rows)
          </a>
        )}
      </p>
      <div class="actions">
        <button type="button" onClick={close}>
          Close
        </button>
        <button type="submit" class="primary" disabled={views.length === 0 || isBusy}>
          Generate
        </button>
      </div>
    </form>
  );
}
