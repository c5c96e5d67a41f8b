// What operators see besides panels: how far workers are behind the log, and the text of what was rejected.

import { useEffect, useRef } from "preact/hooks";
import { useAnswer } from "./answers";
import { count, time, typeName } from "./numbers";
import { Runbook, Why } from "./panel";
import { linkPart, type State, usePart } from "./state";

const LISTED = 100;
const LETTERS = "letters";
type Props = { state: State; news: number };

type Lag = { lag: number; partitions: { topic: string; partition: number; committed: number | null; log_end: number; lag: number }[] };

export function LagCard({ news }: Props) {
  const { answer, refused, isWaiting } = useAnswer<Lag>("/v1/lag", news);
  const rows = [...(answer?.partitions ?? [])].sort((a, b) => b.lag - a.lag).slice(0, LISTED);
  return (
    <section class="card table width-12 height-8" aria-labelledby="lag" aria-busy={isWaiting} data-panel="lag">
      <header>
        <h2 id="lag">Lag: records that are not counted yet{answer && `, ${count(answer.lag)}`}</h2>
      </header>
      {refused ? (
        <Why refused={refused} />
      ) : !answer ? (
        <div class="waiting" />
      ) : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Lag, table">
          <table>
            <thead>
              <tr>
                {["Topic", "Partition", "Committed", "Log end", "Lag"].map((one, place) => (
                  <th key={one} scope="col" class={place ? "number plain" : "plain"}>
                    {one}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={`${row.topic} ${row.partition}`}>
                  <td>{row.topic}</td>
                  <td class="number">{row.partition}</td>
                  <td class="number">{row.committed === null ? "–" : count(row.committed)}</td>
                  <td class="number">{count(row.log_end)}</td>
                  <td class="number">{count(row.lag)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Runbook alerts={["UsageLagging", "UsageNoProgress"]} />
    </section>
  );
}

type Letter = { origin: string; time: string; tenant: string; type: string; reason: string; message: string; size_bytes: number; retried_at: string | null };
type Listed = { dead_letters: Letter[]; more: boolean };
type Whole = Letter & { headers: { name: string; value?: string | null; value_base64?: string }[]; value?: string; value_base64?: string; cut: boolean };

/** Where the dead letters of a reason are shown. */
export const lettersOf = (reason: string): string => linkPart(LETTERS, { reason, origin: "" });

/** The dead letters of the reason that was chosen, or one of them. */
export function Letters({ state, news }: Props) {
  const [reason] = usePart(LETTERS, "reason");
  const [origin] = usePart(LETTERS, "origin");
  const box = useRef<HTMLElement>(null);
  useEffect(() => box.current?.scrollIntoView({ block: "nearest" }), [reason, origin]);
  if (!reason && !origin) return null;
  return (
    <section class="card width-24 letters" ref={box} aria-labelledby="letters" data-panel="letters">
      <header>
        <h2 id="letters">{origin ? `Dead letter ${origin}` : `Dead letters: ${reason}, the newest`}</h2>
        <span class="tools">
          {origin && reason && <a href={linkPart(LETTERS, { origin: "" })}>All of {reason}</a>}
          <a href={linkPart(LETTERS, { reason: "", origin: "" })} aria-label="Close dead letters">
            Close
          </a>
        </span>
      </header>
      {origin ? <One key={origin} origin={origin} state={state} /> : <List key={reason} reason={reason} state={state} news={news} />}
    </section>
  );
}

function List({ reason, state, news }: Props & { reason: string }) {
  const { answer, refused, isWaiting } = useAnswer<Listed>(`/v1/dead-letters?${new URLSearchParams({ reason, limit: String(LISTED) })}`, news);
  if (refused) return <Why refused={refused} />;
  if (!answer) return <div class="waiting" aria-busy={isWaiting} />;
  if (answer.dead_letters.length === 0) return <p class="empty">None is kept: it was sent again and forgotten, or lies too far back.</p>;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Dead letters, table">
        <table>
          <thead>
            <tr>
              {["Origin", "Arrived", "Organization", "Type", "Why", "Sent again"].map((one) => (
                <th key={one} scope="col" class="plain">
                  {one}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {answer.dead_letters.map((one) => (
              <tr key={one.origin}>
                <td>
                  <a href={linkPart(LETTERS, { origin: one.origin })}>{one.origin}</a>
                </td>
                <td>{time(one.time, state.tz, true)}</td>
                <td>{one.tenant || "–"}</td>
                <td>{typeName(one.type)}</td>
                <td class="message" title={one.message}>
                  {one.message}
                </td>
                <td>{one.retried_at ? time(one.retried_at, state.tz) : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <small>
        {answer.more && `The newest ${count(answer.dead_letters.length)}. `}All of them, and sending them again: <code>usage dead-letter list --reason {reason}</code>
      </small>
    </>
  );
}

function One({ origin, state }: { origin: string; state: State }) {
  const { answer, refused, isWaiting } = useAnswer<Whole>(`/v1/dead-letters/${encodeURIComponent(origin)}`, 0);
  if (refused) return <Why refused={refused} />;
  if (!answer) return <div class="waiting" aria-busy={isWaiting} />;
  const said: [string, string][] = [
    ["Why", `${answer.reason}: ${answer.message}`],
    ["Arrived", time(answer.time, state.tz, true)],
    ["Organization", answer.tenant || "could not be read"],
    ["Type", answer.type || "could not be read"],
    ["Size", `${count(answer.size_bytes)} bytes${answer.cut ? ", of which the start is kept" : ""}`],
    ["Sent again", answer.retried_at ? time(answer.retried_at, state.tz, true) : "no"],
    ...answer.headers.map(({ name, value, value_base64 }): [string, string] => [`Header ${name}`, value ?? value_base64 ?? ""]),
  ];
  return (
    <>
      <dl class="said">
        {said.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <pre tabIndex={0} aria-label="Its text">
        {textOf(answer)}
      </pre>
      <small>
        Once it is right: <code>usage dead-letter retry {origin}</code>
      </small>
    </>
  );
}

/** What was sent, set out where it is JSON of which no digit would be lost. */
function textOf({ value, value_base64 }: Whole): string {
  if (value === undefined) return `base64: ${value_base64 ?? ""}`;
  try {
    const parsed: unknown = JSON.parse(value);
    const bare = (text: string) => text.replace(/\s/g, "");
    return bare(JSON.stringify(parsed)) === bare(value) ? JSON.stringify(parsed, null, 2) : value;
  } catch {
    return value;
  }
}
