// One panel: its question, and the answer as numbers, a chart or a table.

import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { before, question, useAnswer } from "./answers";
import type { Answer, Panel, Refused } from "./api";
import { Bars } from "./bars";
import { Drawn, range } from "./drawn";
import { ago } from "./numbers";
import { type State, usePart } from "./state";
import { Stats } from "./stats";
import { Table } from "./table";
import { useInTurn } from "./turns";

type Props = {
  panel: Panel;
  state: State;
  news: number;
  names: Map<string, string>;
  extend?: (answer: Answer) => Answer;
  /** Parameters that no filter sets. */
  more?: Record<string, string>;
  /** What is chosen for this panel alone. */
  beside?: ComponentChildren;
};

export function Card({ panel, state, news, names, extend, more, beside }: Props) {
  const path = question(panel, state, more);
  const { answer, refused, isWaiting } = useAnswer(path, news);
  const [isTable, toggle] = usePart(panel.id, "table");
  const known = useInTurn(names);
  const whole = useMemo(() => (answer && extend ? extend(answer) : answer), [answer, extend]);
  const then = answer && !isTable && (panel.kind === "stat" || panel.kind === "line") ? before(answer) : null;
  const earlier = useAnswer(then ? question(panel, state, then) : "", news);
  const isDrawn = panel.kind === "line" || panel.kind === "bar";
  // Of a hundred rows nothing is made anew because something else on the page changed.
  const body = useMemo(
    () => <Body panel={panel} whole={whole} earlier={then && earlier.answer} refused={refused} isTable={Boolean(isTable)} state={state} names={known} />,
    [panel, whole, Boolean(then), earlier.answer, refused, isTable, state, known],
  );
  return (
    <section class={`card ${panel.kind} width-${panel.width} height-${panel.height}`} aria-labelledby={panel.id} aria-busy={isWaiting || Boolean(then && earlier.isWaiting)} data-panel={panel.id}>
      <header>
        <h2 id={panel.id} title={panel.sentence}>
          {panel.title}
        </h2>
        <span class="tools">
          {isDrawn && (
            <button type="button" aria-pressed={Boolean(isTable)} onClick={() => toggle(isTable ? "" : "1")}>
              Table
            </button>
          )}
          <a href={`${path}&format=csv`} download aria-label={`${panel.title} as CSV`}>
            CSV
          </a>
        </span>
      </header>
      {beside && <div class="narrow">{beside}</div>}
      {body}
      <Runbook alerts={RUNBOOK[panel.id] ?? []} />
    </section>
  );
}

type Content = { panel: Panel; whole: Answer | null; earlier: Answer | null; refused: Refused | null; isTable: boolean; state: State; names: Map<string, string> };

function Body({ panel, whole, earlier, refused, isTable, state, names }: Content) {
  if (refused) return <Why refused={refused} />;
  if (!whole) return <div class="waiting" />;
  if (isEmpty(panel, whole)) return <Empty panel={panel} answer={whole} state={state} />;
  if (panel.kind === "stat") return <Stats panel={panel} answer={whole} earlier={earlier} state={state} />;
  if (panel.kind === "table" || isTable) return <Table panel={panel} answer={whole} state={state} names={names} isWhole={isTable} />;
  if (panel.kind === "line" || panel.x === "month") return <Drawn panel={panel} answer={whole} earlier={earlier} state={state} />;
  return <Bars panel={panel} answer={whole} state={state} />;
}

function isEmpty(panel: Panel, answer: Answer): boolean {
  if (answer.rows.length === 0) return true;
  const isDrawn = panel.kind === "line" || panel.kind === "bar";
  return isDrawn && answer.rows.every((row) => panel.drawn.every((name) => !Number(row[name] ?? 0)) && row["tasks"] !== null);
}

export function Why({ refused }: { refused: Refused }) {
  const whom = refused.status === 403 ? " An administrator of your organization can grant it." : "";
  return (
    <p role="alert" class="why">
      {refused.message}.{whom}
    </p>
  );
}

/** What to do about what a panel of the ledger shows: sections of the runbook. */
const RUNBOOK: Record<string, string[]> = {
  "ledger-gaps": ["UsageLedgerGaps", "UsageLostRecords"],
  ledger: ["UsageLedgerDifference", "UsageLagging"],
  rejections: ["UsageRejects", "UsageInternalRejects"],
  "ledger-by-tenant": ["UsageConflicts"],
};

export function Runbook({ alerts }: { alerts: string[] }) {
  if (alerts.length === 0) return null;
  return (
    <small class="runbook">
      What to do:{" "}
      {alerts.map((alert) => (
        <a key={alert} href={`runbook.html#${alert.toLowerCase()}`}>
          {alert}
        </a>
      ))}
    </small>
  );
}

const WELL: Record<string, string> = { "ledger-gaps": "Every offset is counted once: no gap, no overlap, nothing lost", rejections: "Nothing was rejected" };

function Empty({ panel, answer, state }: { panel: Panel; answer: Answer; state: State }) {
  const newest = answer.as_of.map((one) => one.newest_arrival).sort().at(-1);
  const well = WELL[panel.id];
  const when = range(answer, state.tz);
  return (
    <div class={well ? "empty well" : "empty"}>
      <p>{well ?? "Nothing in this period"}</p>
      <p>
        {when && <>{when}. </>}
        {!well && (newest ? `What was counted last came ${ago(newest)}.` : "Nothing was counted yet.")}
      </p>
    </div>
  );
}
