// Drawing: everything that knows ECharts. Built into a file of its own, which rarely changes.

import { BarChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([AriaComponent, BarChart, GridComponent, LegendComponent, LineChart, MarkAreaComponent, SVGRenderer, TooltipComponent]);

// ECharts empties its boxes by innerHTML. The page's policy (trusted types) lets that through, and nothing else.
type TrustedTypes = { createPolicy(name: string, rules: { createHTML(html: string): string | null }): unknown };
(window as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("default", {
  createHTML: (html) => (html === "" || html === "null" ? "" : null),
});

export type Series = { name: string; values: (number | null)[]; isBefore?: boolean };
export type Drawing = {
  kind: "line" | "bar" | "bars across";
  labels: string[];
  series: Series[];
  description: string;
  /** The bucket that is still running, if the last one is. */
  isRunning: boolean;
  format: (value: number) => string;
  axis: (value: number) => string;
};
export type Chart = {
  draw(drawing: Drawing): void;
  /** The place of the label at a distance from the left edge, in pixels. */
  at(x: number): number;
  dispose(): void;
};

const style = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function chart(box: HTMLElement): Chart {
  const made = echarts.init(box, null, { renderer: "svg" });
  const fit = new ResizeObserver(() => made.resize());
  fit.observe(box);
  let last: Drawing | null = null;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const again = () => last && made.setOption(option(last), true);
  dark.addEventListener("change", again);
  return {
    draw(drawing) {
      last = drawing;
      made.setOption(option(drawing), true);
    },
    at: (x) => Number(made.convertFromPixel({ xAxisIndex: 0 }, x)),
    dispose() {
      dark.removeEventListener("change", again);
      fit.disconnect();
      made.dispose();
    },
  };
}

function option(drawing: Drawing): echarts.EChartsCoreOption {
  const [muted, rule] = [style("--muted"), style("--rule")];
  const isAcross = drawing.kind === "bars across";
  const names = {
    type: "category",
    data: drawing.labels,
    boundaryGap: drawing.kind !== "line",
    inverse: isAcross,
    axisLabel: { color: muted, hideOverlap: true, ...(isAcross ? { width: 140, overflow: "truncate" } : {}) },
    axisLine: { lineStyle: { color: rule } },
    axisTick: { show: false },
  };
  const numbers = {
    type: "value",
    minInterval: 1,
    splitNumber: 4,
    axisLabel: { color: muted, formatter: drawing.axis },
    splitLine: { lineStyle: { color: rule } },
  };
  const hasLegend = drawing.series.length > 1;
  return {
    animation: false,
    aria: { enabled: true, label: { description: drawing.description } },
    color: ["--one", "--two", "--three", "--four", "--five"].map(style),
    grid: { left: 4, right: 12, top: hasLegend ? 32 : 12, bottom: 0, containLabel: true },
    ...(hasLegend ? { legend: { top: 0, right: 0, textStyle: { color: muted }, icon: "roundRect", itemWidth: 12, itemHeight: 8 } } : {}),
    tooltip: {
      trigger: "axis",
      renderMode: "richText", // HTML would want styles that the page's policy forbids
      backgroundColor: style("--card"),
      borderColor: rule,
      textStyle: { color: style("--text") },
      valueFormatter: (value: unknown) => (typeof value === "number" ? drawing.format(value) : "not available"),
    },
    xAxis: isAcross ? numbers : names,
    yAxis: isAcross ? names : numbers,
    series: drawing.series.map((one, place) => ({
      name: one.name,
      type: drawing.kind === "line" ? "line" : "bar",
      data: one.values,
      showSymbol: one.values.length === 1,
      barMaxWidth: 36,
      lineStyle: one.isBefore ? { type: "dotted", width: 1.5, opacity: 0.7 } : { width: 2 },
      ...(one.isBefore ? { itemStyle: { color: muted } } : {}),
      ...(place === 0 && drawing.kind === "line" && !hasLegend ? { areaStyle: { opacity: 0.1 } } : {}),
      ...(place === 0 && drawing.isRunning ? running(drawing) : {}),
    })),
  };
}

function running(drawing: Drawing) {
  const last = drawing.labels.length - 1;
  return {
    markArea: {
      silent: true,
      itemStyle: { color: style("--rule"), opacity: 0.55, decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.785, color: style("--muted") } },
      data: [[{ xAxis: Math.max(0, last - (drawing.kind === "line" ? 1 : 0)) }, { xAxis: last }]],
    },
  };
}
