import { csvText } from '../../sim/contract/escape.ts';
import { columns } from '../../sim/contract/format.ts';
import { METRICS, metricText } from '../metrics/index.ts';
import { escapeLine, escapeLineStart } from '../report/escape.ts';
import { interruptedMark, type Palette, PLAIN } from '../report/text/palette.ts';
import { type GateCheck, type GateResult, improvedText, isFailing } from './check.ts';

/** A value of a check with its unit; checks that are of no metric hold counts. */
export function valueText(check: GateCheck, value: number | null): string {
  const metric = METRICS.find((m) => m.name === check.metric);
  return metric ? metricText(metric, value) : value === null ? '-' : `${value}`;
}

export function changeText(check: GateCheck): string {
  if (check.change === null || check.base === null) return '';
  const sign = check.change > 0 ? '+' : '';
  if (check.change === 0) return '0';
  const share = check.base === 0 ? '' : ` (${sign}${((check.change / check.base) * 100).toFixed(2)} %)`;
  return `${sign}${valueText(check, check.change)}${share}`;
}

/** One line that says what is wrong. */
export function failureText(check: GateCheck): string {
  switch (check.status) {
    case 'missing':
      return `${check.metric} is missing in the head`;
    case 'over the limit':
      return `${check.metric} is ${valueText(check, check.head)}, the limit is ${valueText(check, check.limit)}`;
    default:
      return `${check.metric} went from ${valueText(check, check.base)} to ${valueText(check, check.head)}: ${changeText(check)}, allowed ${valueText(check, check.allowed)}`;
  }
}

export function gateText(gate: GateResult, palette: Palette = PLAIN): string {
  const lines: string[] = [];
  for (const run of new Set(gate.checks.map((c) => c.run))) {
    const checks = gate.checks.filter((c) => c.run === run);
    lines.push(
      palette.bold(escapeLineStart(run)),
      ...columns(
        checks.map((c) => {
          const status = isFailing(c)
            ? palette.red(c.status)
            : c.status === 'improved'
              ? palette.bold(c.status)
              : c.status;
          return [escapeLine(c.metric), valueText(c, c.base), valueText(c, c.head), changeText(c), status];
        }),
        'lrrrl',
      ),
    );
  }
  const failing = gate.checks.filter(isFailing).length;
  lines.push(...gate.unmatched.map((text) => palette.dim(escapeLineStart(text))));
  const outcome = gate.passed
    ? gate.first
      ? `first result: ${gate.checks.length} figures and no base to hold them against`
      : `passed: ${gate.checks.length} checks${improvedText(gate)}`
    : palette.red(`failed: ${failing} of ${gate.checks.length} checks${improvedText(gate)}`);
  lines.push(outcome + interruptedMark(gate.partial, palette));
  return `${lines.join('\n')}\n`;
}

const CSV_FIELDS = ['run', 'workload', 'allocator', 'metric', 'unit', 'base', 'head', 'change', 'allowed', 'limit', 'status'] as const; // biome-ignore format: a list

/** One line a check. */
export function gateCsv({ checks }: GateResult): string {
  return csvText(
    CSV_FIELDS,
    checks.map((check) => CSV_FIELDS.map((name) => check[name])),
  );
}
