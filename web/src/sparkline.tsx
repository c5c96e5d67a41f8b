// A bar for each day: what a metric's sparkline is.

import type { Cell } from "./api";

export type Day = { day: string; value: Cell };

const HEIGHT = 40;
const STEP = 6;

export function Sparkline({ days, label, shown }: { days: Day[]; label: string; shown: (value: Cell) => string }) {
  const values = days.map((one) => Number(one.value ?? 0));
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const scale = high > low ? HEIGHT / (high - low) : 0;
  const width = Math.max(STEP, days.length * STEP);
  return (
    <svg class="sparkline" viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${label}: ${days.length} days, a bar each`}>
      {values.map((value, place) => {
        const height = Math.max(1, Math.abs(value) * scale);
        return (
          <rect key={days[place]?.day} x={place * STEP} y={value >= 0 ? high * scale - height : high * scale} width={STEP - 1.5} height={height} rx="1">
            <title>{`${days[place]?.day}: ${days[place]?.value === null ? "–" : shown(days[place]?.value ?? null)}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}
