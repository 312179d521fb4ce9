// The text of /metrics, and what can be said of it over time.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = LINE.exec(line);
    if (match === null) continue;
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(LABEL)) {
      labels[name ?? ""] = (value ?? "").replace(/\\(.)/g, (_, letter) =>
        letter === "n" ? "\n" : letter,
      );
    }
    const value = match[3] === "+Inf" ? Number.POSITIVE_INFINITY : Number(match[3]);
    samples.push({ name: match[1] ?? "", labels, value });
  }
  return samples;
}

export type Wanted = Record<string, string>;
const fits = (sample: Sample, name: string, wanted: Wanted) =>
  sample.name === name &&
  Object.entries(wanted).every(([label, value]) => sample.labels[label] === value);

export function total(samples: readonly Sample[], name: string, wanted: Wanted = {}): number {
  return samples.reduce(
    (sum, sample) => (fits(sample, name, wanted) ? sum + sample.value : sum),
    0,
  );
}

export function byLabel(
  samples: readonly Sample[],
  name: string,
  label: string,
): [string, number][] {
  const sums = new Map<string, number>();
  for (const sample of samples) {
    if (sample.name !== name) continue;
    const value = sample.labels[label] ?? "";
    sums.set(value, (sums.get(value) ?? 0) + sample.value);
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}

// Buckets of a histogram, summed over the labels that are not wanted, less what was there before.
export function buckets(
  now: readonly Sample[],
  before: readonly Sample[],
  name: string,
  wanted: Wanted = {},
): [number, number][] {
  const sums = new Map<number, number>();
  for (const [samples, sign] of [
    [now, 1],
    [before, -1],
  ] as const) {
    for (const sample of samples) {
      if (!fits(sample, `${name}_bucket`, wanted)) continue;
      const text = sample.labels.le ?? "+Inf";
      const bound = text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
      sums.set(bound, (sums.get(bound) ?? 0) + sign * sample.value);
    }
  }
  return [...sums].sort((a, b) => a[0] - b[0]);
}

// Of cumulated buckets, between the bounds as if evenly spread; null where nothing was counted.
export function quantile(share: number, cumulated: readonly [number, number][]): number | null {
  const all = cumulated.at(-1)?.[1] ?? 0;
  if (all <= 0) return null;
  const rank = share * all;
  let lower = 0;
  let below = 0;
  for (const [bound, number] of cumulated) {
    if (number >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return number === below
        ? bound
        : lower + ((bound - lower) * (rank - below)) / (number - below);
    }
    lower = bound;
    below = number;
  }
  return lower;
}
