/** Quantities as files and options have them, read; `format.ts` writes those of reports. */

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const TIME_UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6, d: 86400e6 };

/** Bytes of `128M`, `1.5G` (powers of 1024) or a plain number; undefined where it is none. */
export function sizeBytes(text: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?$/i.exec(String(text).trim());
  return match ? Math.round(Number(match[1]) * SIZE_UNITS[match[2]!.toUpperCase()]!) : undefined;
}

/** Microseconds of `72h`, `80ms`, `1.5s`, `30d`, `1h30m`; undefined where it is none. */
export function durationUs(text: string | number): number | undefined {
  const words = String(text).trim();
  if (!/^(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+$/.test(words)) return words === '0' ? 0 : undefined;
  let sum = 0;
  for (const [, value, unit] of words.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h|d)/g))
    sum += Number(value) * TIME_UNITS[unit!]!;
  return Math.round(sum);
}

/** Requests a second of `2/s`, `90/m`, `12/h`, `100/d`; undefined where it is none. */
export function ratePerSecond(text: string | number): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*\/\s*(s|m|h|d)$/.exec(String(text).trim());
  return match ? (Number(match[1]) * 1e6) / TIME_UNITS[match[2]!]! : undefined;
}

/** `36h`, `1h30m`, `45s`: the largest units that say it. */
export function durationText(us: number): string {
  if (us === 0) return '0s';
  if (us < 1e6) return us < 1e3 ? `${us} µs` : `${Math.round(us / 1e3)} ms`;
  const seconds = Math.round(us / 1e6);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = seconds % 60;
  const words = [
    hours > 0 ? `${hours}h` : '',
    minutes > 0 ? `${minutes}m` : '',
    rest > 0 && hours === 0 ? `${rest}s` : '',
  ];
  return words.join('') || '0s';
}
