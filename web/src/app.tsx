// The page: who is here, what they may see, and the tab that the URL names.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useAnswer, useNews } from "./answers";
import { get, type Me, type Organization, type Panel, Refused } from "./api";
import { Filters } from "./filters";
import { ago } from "./numbers";
import { Card } from "./panel";
import { Reports } from "./report";
import { go, link, type State, useUrl } from "./state";

const REPORTED = ["dashboard", "analytics", "users", "billing"];
const KEYS: Record<string, string> = { h: "1h", d: "1d", w: "1w", m: "30d", q: "90d", y: "1y" };

type Known = { me: Me; panels: Panel[]; organizations: Organization[] };

function Page() {
  const state = useUrl();
  const news = useNews();
  const [known, put] = useState<Known | Refused | null>(null);
  useEffect(() => {
    Promise.all([
      get<Me>("/v1/me"),
      get<{ panels: Panel[] }>("/v1/panels"),
      get<{ organizations: Organization[] }>("/v1/organizations").catch(() => ({ organizations: [] })),
    ]).then(
      ([me, { panels }, { organizations }]) => put({ me, panels, organizations }),
      (error: unknown) => put(error instanceof Refused ? error : new Refused(0, "the API does not answer")),
    );
  }, []);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const frame = KEYS[event.key];
      const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (frame && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) go({ frame, since: "", until: "", grain: "" });
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
  if (known === null) return <main class="alone" aria-busy="true" />;
  if (known instanceof Refused) return <Closed refused={known} />;
  return <Inside known={known} state={state} news={news} />;
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

function Inside({ known, state, news }: { known: Known; state: State; news: number }) {
  const { me, panels, organizations } = known;
  const tabs = [...new Map(panels.map((panel) => [panel.tab, panel.tab_title]))];
  const tab = tabs.some(([name]) => name === state.tab) ? state.tab : (tabs[0]?.[0] ?? "");
  const here = { ...state, tab };
  const isOne = Boolean(state.tenant) || (me.scope !== "*" && me.scope.length === 1);
  const scope = state.token ? "token" : isOne ? "tenant" : "all";
  const shown = panels.filter((panel) => panel.tab === tab && (panel.scope === null || panel.scope === scope));
  const fresh = useFresh(panels, news);
  const title = tabs.find(([name]) => name === tab)?.[1] ?? "Usage";
  const customer = organizations.find((one) => one.tenant === state.customer)?.name ?? state.customer;
  useEffect(() => {
    document.title = `${title} – Usage`;
  }, [title]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        Skip to the numbers
      </a>
      <header class="top">
        <strong>Usage</strong>
        <nav aria-label="Sections">
          {tabs
            .filter(([name]) => name !== "customer")
            .map(([name, heading]) => (
              <a key={name} href={link({ tab: name })} aria-current={name === tab || (name === "customers" && tab === "customer") ? "page" : undefined}>
                {heading}
              </a>
            ))}
        </nav>
        <span class="muted">
          {me.name || me.user} · {me.role}
        </span>
      </header>
      <Filters me={me} organizations={organizations} panels={shown} state={here} fresh={fresh} />
      <main id="main" tabIndex={-1}>
        <div class="title">
          <h1>{tab === "customer" ? customer : title}</h1>
          {REPORTED.includes(tab) && <Reports panels={panels} state={here} />}
        </div>
        {tab === "customer" && !state.customer ? (
          <p class="empty">Choose a customer in the list of customers.</p>
        ) : (
          shown.map((panel) => <Card key={panel.id} panel={panel} state={here} news={news} />)
        )}
      </main>
    </>
  );
}

/** As of when the numbers are, in words. */
function useFresh(panels: Panel[], news: number): string {
  const { answer } = useAnswer(panels.length ? "/v1/views/as_of" : "", news);
  const [, tick] = useState(0);
  useEffect(() => {
    const ticking = setInterval(() => tick((count) => count + 1), 15_000);
    return () => clearInterval(ticking);
  }, []);
  const newest = answer?.rows.map((row) => String(row["newest_arrival"])).sort().at(-1);
  return newest ? `Newest counted: ${ago(newest)}` : "";
}

document.documentElement.lang = navigator.language;
const root = document.getElementById("app");
if (root) render(<Page />, root);
