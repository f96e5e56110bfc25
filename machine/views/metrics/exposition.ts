import { escapeField } from '../../../sim/contract/escape.ts';

/** The text formats of Prometheus (0.0.4) and OpenMetrics (1.0). */
export interface MetricFamily {
  readonly name: string;
  readonly type: 'gauge' | 'counter' | 'unknown';
  readonly help: string;
  readonly points: readonly MetricPoint[];
}

export interface MetricPoint {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Seconds, in OpenMetrics; milliseconds in the text format. */
  readonly seconds?: number;
}

/** The shortest digits; from a million on, and below 0.0001, with an exponent, as exporters write it: 1.6671399936e+10. */
export function goFloat(value: number): string {
  if (value === 0) return '0';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const [digits, power] = value.toExponential().split('e') as [string, string];
  return Number(power) < -4 || Number(power) >= 6 ? withExponent(digits, Number(power)) : String(value);
}

function withExponent(digits: string, power: number): string {
  const size = String(Math.abs(power)).padStart(2, '0');
  return `${digits}e${power < 0 ? '-' : '+'}${size}`;
}

/** A backslash, a quote and the end of a line have escapes of the format's own. */
const escapeLabel = (text: string) =>
  text
    .split('\n')
    .map((line) => escapeField(line).replace(/\\/g, '\\\\').replace(/"/g, '\\"'))
    .join('\\n');

function labelText(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return entries.length === 0 ? '' : `{${entries.join(',')}}`;
}

/** As an exporter answers a scrape; dated points where they have a time. */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families
    .map(({ name, type, help, points }) => {
      const rows = points.map(
        ({ labels, value, seconds }) =>
          `${name}${labelText(labels)} ${goFloat(value)}${seconds === undefined ? '' : ` ${Math.round(seconds * 1000)}`}\n`,
      );
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type === 'unknown' ? 'untyped' : type}\n${rows.join('')}`;
    })
    .join('');
}

/** Prometheus multiplies by a thousand and cuts off (openmetricsparse.go), so that 1.001 would be the millisecond of 1. */
function secondsText(seconds: number): string {
  const isCutOff = Math.trunc(seconds * 1000) < Math.round(seconds * 1000);
  return isCutOff ? (seconds + 1e-9).toFixed(9) : `${seconds}`;
}

/** OpenMetrics: a counter's family has its name without `_total`; ends with `# EOF`. */
export function openMetricsText(families: readonly MetricFamily[]): string {
  const body = families.map(({ name, type, help, points }) => {
    const family = type === 'counter' ? name.replace(/_total$/, '') : name;
    const sample = type === 'counter' ? `${family}_total` : name;
    const rows = points.map(({ labels, value, seconds }) => {
      const text = goFloat(value);
      const float = /[e.]|Inf|NaN/.test(text) ? text : `${text}.0`;
      return `${sample}${labelText(labels)} ${float}${seconds === undefined ? '' : ` ${secondsText(seconds)}`}\n`;
    });
    return `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n${rows.join('')}`;
  });
  return `${body.join('')}# EOF\n`;
}
