import { escapeField } from '../../sim/contract/escape.ts';
import type { Breakdown, Sample } from '../../sim/metrics/sample.ts';
import type { RunResult } from '../run/result.ts';

interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly unit?: 'bytes';
  readonly help: string;
  readonly of: (sample: Sample) => number;
  /** Labels beside those of the run. */
  readonly labels?: Readonly<Record<string, string>>;
}

const CLASSES: readonly (keyof Breakdown)[] = ['requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable'];

const FAMILIES: readonly (readonly Family[])[] = [
  gauge('allocsim_resident_bytes', 'resident pages of the allocator', (s) => s.rssBytes),
  gauge('allocsim_mapped_bytes', 'mapped by the allocator', (s) => s.vszBytes),
  gauge('allocsim_requested_bytes', 'asked for by the program, in live blocks', (s) => s.requestedBytes),
  gauge('allocsim_usable_bytes', 'usable in live blocks', (s) => s.usableBytes),
  CLASSES.map((name) => ({
    name: 'allocsim_breakdown_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'every resident byte in one class',
    of: (s) => s.breakdown[name],
    labels: { class: name },
  })),
  gauge(
    'allocsim_within_slabs_bytes',
    'of what is returnable by its pages: in slabs and chunks that hold something else',
    (s) => s.withinSlabsBytes,
  ),
  [{ name: 'allocsim_live_blocks', type: 'gauge', help: 'live blocks', of: (s) => s.liveBlocks }],
  [{ name: 'allocsim_faults', type: 'counter', help: 'minor page faults', of: (s) => s.faults }],
];

function gauge(name: string, help: string, of: Family['of']): readonly Family[] {
  return [{ name, type: 'gauge', unit: 'bytes', help, of }];
}

/**
 * The samples of runs in OpenMetrics 1.0, dated by virtual time in seconds. Points of one millisecond
 * are one, the last: Prometheus keeps no finer time, and refuses a file with two of them. Where no
 * time passes, a sample is told apart by the label `event`, without a date.
 */
export function openMetrics(results: readonly RunResult[]): string {
  const lines: string[] = [];
  for (const family of FAMILIES) {
    const { name, type, unit, help } = family[0]!;
    lines.push(`# TYPE ${name} ${type}`, ...(unit ? [`# UNIT ${name} ${unit}`] : []), `# HELP ${name} ${help}`);
    for (const result of results) for (const one of family) lines.push(...pointsOf(result, one));
  }
  return `${lines.join('\n')}\n# EOF\n`;
}

const seconds = ({ virtualNs }: Sample): string => (virtualNs / 1e9).toFixed(9);

/** The millisecond that Prometheus makes of it (openmetricsparse.go): cut off, behind a product of binary fractions. */
const keptAt = (sample: Sample): number => Math.trunc(Number(seconds(sample)) * 1000);

function pointsOf({ run, samples }: RunResult, { name, type, of, labels = {} }: Family): string[] {
  const hasTime = samples.some((s) => s.virtualNs > 0);
  const suffix = type === 'counter' ? '_total' : '';
  const own = { workload: run.workload, allocator: run.allocator, seed: `${run.seed}`, ...labels };
  return samples
    .filter((s, i) => !hasTime || i + 1 === samples.length || keptAt(s) !== keptAt(samples[i + 1]!))
    .map((s) => {
      const all = hasTime ? own : { ...own, event: `${s.event}`, label: s.label };
      const text = Object.entries(all)
        .map(([key, value]) => `${key}="${escapeLabel(value)}"`)
        .join(',');
      return `${name}${suffix}{${text}} ${of(s)}${hasTime ? ` ${seconds(s)}` : ''}`;
    });
}

/** Label values may hold anything but what is escaped here; whoever looks at them on a terminal wants no controls. */
const escapeLabel = (text: string) => escapeField(text).replace(/\\/g, '\\\\').replace(/"/g, '\\"');
