// The page: who is here, what they may see, and the tab that the URL names.

import { Fragment, render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { isByMonth, type News, useAnswer, useNews } from "./answers";
import { type Answer, type Fresh, get, type Me, type Organization, type Panel, Refused } from "./api";
import { Filters } from "./filters";
import { Breakdown } from "./breakdown";
import { LagCard, Letters } from "./health";
import { MetricCards, valuesOf, withMetrics } from "./metric_cards";
import type { Definition } from "./metric";
import { Metrics, useDefinitions } from "./metrics";
import { ago, period } from "./numbers";
import { Card } from "./panel";
import { Reports } from "./report";
import { go, link, type State, useUrl } from "./state";

const REPORTED = ["dashboard", "analytics", "users", "billing"];
const DEFINED = ["usage-metrics", "customers", "customer", "metrics"];
const KEYS: Record<string, string> = { h: "1h", d: "1d", w: "1w", m: "30d", q: "90d", y: "1y" };
const FRAMES: Record<string, string> = { "1h": "Last hour", "1d": "Last day", "1w": "Last week", "30d": "Last 30 days", "90d": "Last 90 days", "1y": "Last year" };

type Known = { me: Me; panels: Panel[] };

function Page() {
  const state = useUrl();
  const news = useNews();
  const [known, put] = useState<Known | Refused | null>(null);
  useEffect(() => {
    Promise.all([get<Me>("/v1/me"), get<{ panels: Panel[] }>("/v1/panels")]).then(
      ([me, { panels }]) => put({ me, panels }),
      (error: unknown) => put(error instanceof Refused ? error : new Refused(0, "the API does not answer")),
    );
  }, []);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const frame = KEYS[event.key];
      const target = event.target;
      const isTyping = target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
      if (frame && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) go({ frame, since: "", until: "", grain: "" });
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  if (known === null) return <main class="alone" aria-busy="true" />;
  if (known instanceof Refused) return <Closed refused={known} />;
  return <Inside known={known} state={state} news={news} />;
}

/** Those that the caller may choose from; asked after what the screen shows first. */
function useOrganizations(may: boolean): Organization[] {
  const [found, put] = useState<Organization[]>([]);
  useEffect(() => {
    if (!may) return;
    get<{ organizations: Organization[] }>("/v1/organizations").then(
      ({ organizations }) => put(organizations),
      () => put([]),
    );
  }, []);
  return found;
}

function Closed({ refused }: { refused: Refused }) {
  return (
    <main class="alone">
      <h1>Usage</h1>
      <p role="alert">{refused.message}.</p>
      {refused.status === 401 && (
        <p class="muted">Open the link that `usage run` or `usage api --link` prints (it works once), or come through the proxy that signs you in.</p>
      )}
    </main>
  );
}

function Inside({ known, state, news: { count: news, asOf } }: { known: Known; state: State; news: News }) {
  const { me, panels } = known;
  const organizations = useOrganizations(me.role !== "operator");
  const hasMetrics = panels.some((panel) => panel.view === "metric_values");
  const mayDefine = hasMetrics && me.role === "admin" && me.scope === "*";
  const tabs = withDefinitions([...new Map(panels.map((panel) => [panel.tab, panel.tab_title]))], mayDefine);
  const tab = tabs.some(([name]) => name === state.tab) ? state.tab : (tabs[0]?.[0] ?? "");
  const here = useMemo(() => ({ ...state, tab }), [state, tab]);
  const isOne = Boolean(state.tenant) || (me.scope !== "*" && me.scope.length === 1);
  const scope = state.token ? "token" : isOne ? "tenant" : "all";
  const shown = useMemo(
    () => [...moving(tab, panels), ...panels.filter((panel) => panel.tab === tab && (panel.scope === null || panel.scope === scope))],
    [tab, panels, scope],
  );
  const title = tabs.find(([name]) => name === tab)?.[1] ?? "Usage";
  const names = useMemo(() => new Map(organizations.map((one) => [one.tenant, one.name])), [organizations]);
  const definitions = useDefinitions(mayDefine && DEFINED.includes(tab));
  const values = useAnswer(hasMetrics && tab === "customers" ? valuesOf("") : "", news).answer;
  const withColumns = useMemo(() => values && ((answer: Answer) => withMetrics(answer, values)), [values]);
  const breakdown = panels.find((panel) => panel.view === "metric_breakdown") ?? null;
  const customer = names.get(state.customer) ?? state.customer;
  useEffect(() => {
    document.title = `${tab === "customer" ? customer : title} – Usage`;
  }, [title, customer, tab]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        Skip to the numbers
      </a>
      <div class="top">
        <header>
          <strong class="brand">Usage</strong>
          <nav aria-label="Sections">
            {tabs
              .filter(([name]) => name !== "customer")
              .map(([name, heading]) => (
                <a key={name} href={link({ tab: name })} aria-current={name === tab || (name === "customers" && tab === "customer") ? "page" : undefined}>
                  {heading}
                </a>
              ))}
          </nav>
          <Newest asOf={asOf} />
          <span class="who" title={`${me.user}, ${me.role}`}>
            {me.name || me.user} <small>{me.role}</small>
          </span>
        </header>
        {tab !== "metrics" && <Filters me={me} organizations={organizations} panels={shown} state={here} />}
      </div>
      <main id="main" tabIndex={-1}>
        <div class="title">
          <h1>{tab === "customer" ? customer : title}</h1>
          <p class="muted">{subtitle(shown, here, me, names)}</p>
          {REPORTED.includes(tab) && <Reports panels={panels} state={here} />}
        </div>
        {tab === "customer" && !state.customer ? (
          <p class="empty">Choose a customer in the list of customers.</p>
        ) : tab === "metrics" && mayDefine ? (
          <Metrics definitions={definitions} names={names} state={here} />
        ) : (
          ordered(shown).map((panel) =>
            panel.view === "metric_values" ? (
              tab !== "customers" && (
                <MetricCards
                  key={panel.id}
                  id={panel.id}
                  title={panel.title}
                  state={here}
                  tenant={tab === "customer" ? here.customer : here.tenant}
                  news={news}
                  definitions={definitions.list}
                  mayDefine={mayDefine}
                  madeOf={breakdown && ((name) => <Breakdown key={here.metric} panel={breakdown} state={here} news={news} names={names} name={name} match={matchOf(definitions.list, here.metric)} />)}
                />
              )
            ) : panel.view === "customers" && withColumns ? (
              <Card key={panel.id} panel={panel} state={here} news={news} names={names} extend={withColumns} />
            ) : (
              <Fragment key={panel.id}>
                <Card panel={panel} state={here} news={news} names={names} />
                {panel.id === "rejections" && (
                  <>
                    <LagCard state={here} news={news} />
                    <Letters state={here} news={news} />
                  </>
                )}
              </Fragment>
            ),
          )
        )}
      </main>
    </>
  );
}

/** The tabs with that of definitions before what happens now, for who may define. */
function withDefinitions(tabs: [string, string][], may: boolean): [string, string][] {
  if (!may) return tabs;
  const place = tabs.findIndex(([name]) => name === "live");
  return [...tabs.slice(0, place), ["metrics", "Metrics"], ...tabs.slice(place)];
}

/** The events whose properties a metric may be broken down by; none where definitions are not the reader's to see. */
function matchOf(definitions: Definition[] | null, metric: string): string[] {
  return definitions?.find((one) => one.metric_id === metric)?.match ?? [];
}

/** Metrics first, each with its sparkline, and the chosen one with what it is made of. */
function ordered(shown: Panel[]): Panel[] {
  const rest = shown.filter((panel) => !panel.view.startsWith("metric_"));
  return [...shown.filter((panel) => panel.view === "metric_values"), ...rest];
}

/** Above what happens now: the last hour, minute by minute; above the ledger, how fresh it is. */
function moving(tab: string, panels: Panel[]): Panel[] {
  const found = tab === "live" ? panels.find((panel) => panel.view === "requests_over_time") : undefined;
  const newest = panels.find((panel) => panel.view === "as_of");
  if (tab === "health" && newest) return [{ ...newest, id: "freshness", title: "Freshness: the newest event, and the newest arrival, that are counted" }];
  if (!found) return [];
  const parameters = { ...found.parameters, since: "1h", until: "now", grain: "minute", token: "" };
  return [{ ...found, id: "live-requests", title: "Requests in the last hour, by minute", width: 24, parameters }];
}

/** Whose numbers, and of when, in words. */
function subtitle(shown: Panel[], state: State, me: Me, names: Map<string, string>): string {
  const takes = (name: string) => shown.some((panel) => panel.parameters[name] === `$${name}`);
  const own = me.scope !== "*" && me.scope.length === 1 ? me.scope[0] : "";
  const tenant = state.tenant || own;
  const whose = state.tab === "customer" ? state.customer : tenant ? (names.get(tenant) ?? tenant) : takes("tenant") ? (me.scope === "*" ? "All organizations" : "") : "";
  const isRange = Boolean(Date.parse(state.since)) && (!state.until || Date.parse(state.until) >= Date.parse(state.since));
  const until = Date.parse(state.until) ? state.until : new Date().toISOString();
  const isMonths = !shown.some((panel) => panel.parameters["since"] === "$since" && !isByMonth(panel));
  const when = !takes("since") ? "" : isRange ? period(state.since, until, state.tz) : isMonths ? "Last 12 months" : (FRAMES[state.frame] ?? state.frame);
  const isRunning = takes("since") && Date.parse(until) >= Date.now() - 60_000;
  return [whose, when, isRunning ? "still running" : takes("since") ? "over; late events still add" : ""].filter(Boolean).join(" · ");
}

/** As of when the numbers are, in words. */
function Newest({ asOf }: { asOf: Fresh[] }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const ticking = setInterval(() => tick((count) => count + 1), 15_000);
    return () => clearInterval(ticking);
  }, []);
  const newest = asOf.map((one) => one.newest_arrival).sort().at(-1);
  if (!newest) return <output class="fresh" />;
  const isFresh = Date.now() - Date.parse(newest) < 300_000;
  return (
    <output class={isFresh ? "fresh now" : "fresh"} aria-live="off" title={`The newest arrival that is counted: ${newest}`}>
      Newest counted: {ago(newest)}
    </output>
  );
}

document.documentElement.lang = navigator.language;
const root = document.getElementById("app");
if (root) render(<Page />, root);
