import { bytes, counted } from '../../../sim/contract/format.ts';

export const size = (value: number): string => bytes(value);
export const kbSize = (kb: number): string => bytes(kb * 1024);

/** `1 file`, `3 files`. */
export const number = counted;

/** `a`, `a and b`, `a, b and c`; of many the first few and how many more. */
export function list(names: readonly string[], most = 4): string {
  if (names.length > most) return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** `3.2 s`, `5 min`, `2.5 h`. */
export function span(us: number): string {
  const seconds = us / 1e6;
  if (seconds < 120) return `${Number(seconds.toFixed(seconds < 10 ? 1 : 0))} s`;
  if (seconds < 7200) return `${Number((seconds / 60).toFixed(1))} min`;
  return `${Number((seconds / 3600).toFixed(1))} h`;
}

/** The element with the most, and that amount. */
export function most<T>(all: readonly T[], of: (one: T) => number): { one: T; amount: number } | undefined {
  let best: { one: T; amount: number } | undefined;
  for (const one of all) {
    const amount = of(one);
    if (!best || amount > best.amount) best = { one, amount };
  }
  return best;
}
