// Drawing: everything that knows ECharts. Built into a file of its own, which rarely changes.

import { BarChart, LineChart } from "echarts/charts";
import { GridComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([BarChart, GridComponent, LineChart, SVGRenderer]);

// ECharts empties its boxes by innerHTML. The page's policy (trusted types) lets that through, and nothing else.
type TrustedTypes = { createPolicy(name: string, rules: { createHTML(html: string): string | null }): unknown };
(window as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy("default", {
  createHTML: (html) => (html === "" || html === "null" ? "" : null),
});

export type Series = { name: string; values: (number | null)[]; isBefore?: boolean };
export type Drawing = {
  kind: "line" | "bar";
  labels: string[];
  series: Series[];
  /** The last bucket is still running. */
  isRunning: boolean;
  axis: (value: number) => string;
};
export type Chart = {
  draw(drawing: Drawing): void;
  /** The place of the label at a distance from the left edge, in pixels. */
  at(x: number): number;
  /** The distance of a label from the left edge, in pixels. */
  left(place: number): number;
  /** The distance of a series' value from the top edge, in pixels. */
  top(value: number): number;
  dispose(): void;
};

const style = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const COLOURS = ["--one", "--two", "--three", "--four", "--five"];

/** A chart in a box; ``placed`` is called whenever it has been laid out anew. */
export function chart(box: HTMLElement, placed: () => void): Chart {
  const made = echarts.init(box, null, { renderer: "svg" });
  let last: Drawing | null = null;
  const again = () => {
    if (last) made.setOption(option(last), true);
    placed();
  };
  const fit = new ResizeObserver(([{ contentRect: { width, height } } = { contentRect: box.getBoundingClientRect() }]) => {
    if (Math.round(width) === made.getWidth() && Math.round(height) === made.getHeight()) return;
    made.resize();
    placed();
  });
  fit.observe(box);
  // Paper is always light.
  const looks = [matchMedia("(prefers-color-scheme: dark)"), matchMedia("print")];
  for (const look of looks) look.addEventListener("change", again);
  return {
    draw(drawing) {
      last = drawing;
      again();
    },
    at: (x) => Number(made.convertFromPixel({ xAxisIndex: 0 }, x)),
    left: (place) => Number(made.convertToPixel({ xAxisIndex: 0 }, place)),
    top: (value) => Number(made.convertToPixel({ yAxisIndex: 0 }, value)),
    dispose() {
      for (const look of looks) look.removeEventListener("change", again);
      fit.disconnect();
      made.dispose();
    },
  };
}

function option(drawing: Drawing): echarts.EChartsCoreOption {
  const [muted, rule] = [style("--muted"), style("--rule")];
  const font = { color: muted, fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily };
  const isLine = drawing.kind === "line";
  return {
    animation: false,
    color: COLOURS.map(style),
    grid: { left: 2, right: isLine ? 14 : 2, top: 10, bottom: 2, containLabel: true },
    xAxis: {
      type: "category",
      data: drawing.labels,
      boundaryGap: !isLine,
      axisLabel: { ...font, hideOverlap: true, margin: 10, ...(isLine ? { alignMinLabel: "left" } : {}) },
      axisLine: { lineStyle: { color: rule } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      minInterval: drawing.series.every((one) => one.values.every((value) => Number.isInteger(value ?? 0))) ? 1 : 0,
      splitNumber: 3,
      axisLabel: { ...font, formatter: drawing.axis },
      splitLine: { lineStyle: { color: rule, type: [3, 4] } },
    },
    series: isLine ? drawing.series.flatMap((one, place) => lines(one, place, drawing)) : drawing.series.map(bars),
  };
}

const bars = (one: Series, place: number) => ({
  type: "bar",
  data: one.values,
  barMaxWidth: 34,
  barCategoryGap: "36%",
  barMinHeight: 1,
  itemStyle: { color: style(COLOURS[place % COLOURS.length] ?? ""), borderRadius: [4, 4, 0, 0] },
});

/** A line; to the bucket that is still running it is dashed. */
function lines(one: Series, place: number, drawing: Drawing) {
  const end = one.values.length - 1;
  const isCut = drawing.isRunning && !one.isBefore && end > 0;
  const color = one.isBefore ? style("--muted") : style(COLOURS[place % COLOURS.length] ?? "");
  const common = { type: "line", symbol: "circle", symbolSize: 5, showSymbol: one.values.length === 1, silent: true, itemStyle: { color }, z: one.isBefore ? 1 : 3 - place * 0.1 };
  const filled = place === 0 && !one.isBefore ? { areaStyle: { color: faded(color) } } : {};
  const width = one.isBefore ? { color, type: "dotted", width: 1.6, opacity: 0.75 } : { color, width: 2, join: "round" };
  const whole = { ...common, ...filled, data: isCut ? one.values.slice(0, end) : one.values, lineStyle: width };
  if (!isCut) return [whole];
  const rest = one.values.map((value, at) => (at >= end - 1 ? value : null));
  return [whole, { ...common, data: rest, lineStyle: { ...width, type: [4, 4] } }];
}

function faded(color: string) {
  const colorStops = [
    { offset: 0, color: `${color}2e` },
    { offset: 1, color: `${color}05` },
  ];
  return { type: "linear", x: 0, y: 0, x2: 0, y2: 1, colorStops };
}
