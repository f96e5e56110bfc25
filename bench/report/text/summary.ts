import { bytes, columns, count, counted, duration, percent } from '../../../sim/contract/format.ts';
import { outOfOrderSentences } from '../../run/out-of-order.ts';
import { peakSentences } from '../../run/recorded-peak.ts';
import type { RunResult } from '../../run/result.ts';
import { timeSource } from '../../run/time-source.ts';
import { escapeLine, escapeLineStart } from '../escape.ts';
import { CLASSES, classBytes, className, isShown } from '../names.ts';
import { columnBlocks } from './fold.ts';
import { interruptedMark, type Palette, PLAIN } from './palette.ts';
import { recordedProcessLines } from './recorded-process.ts';
import { spread } from './spread.ts';

const SHOWN_SAMPLES = 24;
/** The recorder's look at a program that exits. */
const EXIT = 'exit';

/** One run for people: its options first, what is not modelled last. */
export function summaryText(result: RunResult, palette: Palette = PLAIN, width = 80): string {
  const sections = [headlines, memory, breakdown, cost, time, lockTable, sampleTable, recorded, engineAndLimits];
  return `${sections.flatMap((section) => section(result, palette, width)).join('\n')}\n`;
}

/** What ran, and how. */
function headlines(result: RunResult, palette: Palette): string[] {
  const { run } = result;
  const times = timeSource(result);
  const lines: string[] = [];
  const parameters = Object.entries(run.parameters).map(([name, value]) => `${name}=${value}`);
  lines.push(
    `${palette.bold(escapeLineStart(run.workload))} under ${palette.bold(escapeLine(run.allocator))}${interruptedMark(result.partial, palette)}`,
  );
  lines.push(
    ...columns(
      [
        [
          'mode',
          run.mode === 'lockstep'
            ? 'lockstep: in the order of the file, without time'
            : `${run.mode}, pace ${run.pace}`,
        ],
        ...(run.timeReason === null ? [] : [['', `(${run.timeReason})`]]),
        ['machine', `${run.cpus} cpus, kernel ${run.kernel}, touch ${run.touch}`],
        ...(times === null ? [] : [['times', escapeLine(times)]]),
        ['seed', `${run.seed}`],
        ...(parameters.length > 0 ? [['parameters', parameters.join(' ')]] : []),
        ['version', `allocsim ${run.version}`],
      ].map(([name, value]) => [palette.dim(name!), value!]),
      'l',
    ),
  );
  if (result.abort) {
    lines.push('', palette.bold('The real program would have aborted'));
    lines.push(`  ${palette.red(result.abort.message)}  at event ${count(result.abort.event)}`);
  }
  return lines;
}

function memory(result: RunResult, palette: Palette): string[] {
  const { summary } = result;
  const lines: string[] = [];
  lines.push('', palette.bold('Memory'));
  lines.push(
    ...columns(
      [
        ['', palette.dim('at the end'), palette.dim('peak')],
        ['resident', bytes(summary.rssBytes), bytes(summary.rssPeakBytes)],
        ['mapped', bytes(summary.vszBytes), bytes(summary.vszPeakBytes)],
        ['requested', bytes(summary.requestedBytes), bytes(summary.requestedPeakBytes)],
        ['usable', bytes(summary.usableBytes), ''],
        ['live blocks', count(summary.liveBlocks), ''],
      ],
      'lrr',
    ),
    ...outOfOrderSentences([result]).map((text) => `  ${palette.bold(text)}`),
    ...peakLines(result, palette),
    ...(result.recordedProcess?.samples.some(({ label }) => label === EXIT)
      ? [palette.dim('  the end is behind the exit of the program; sim explain tells of before')]
      : []),
  );
  return lines;
}

/** A fork's child has the peak of what came before it in its trace: less than is simulated says nothing. */
function peakLines({ run, summary, recordedProcess }: RunResult, palette: Palette): string[] {
  const recorded = recordedProcess?.peakBytes ?? null;
  if (recorded === null || recorded < summary.rssPeakBytes) return [];
  return peakSentences(recorded, summary.rssPeakBytes, run.allocator).map((text) => `  ${palette.bold(text)}`);
}

function breakdown({ run, summary }: RunResult, palette: Palette): string[] {
  const lines: string[] = [];
  lines.push('', palette.bold('Where the resident bytes are'));
  lines.push(
    ...columns(
      CLASSES.filter(({ key }) => isShown(key, summary)).map(({ key, about }) => {
        const value = classBytes(summary, key);
        return [
          className(key, run.allocator),
          bytes(value),
          summary.rssBytes === 0 ? '' : percent(value / summary.rssBytes),
          palette.dim(about),
        ];
      }),
      'lrrl',
    ),
  );
  return lines;
}

function cost(result: RunResult, palette: Palette): string[] {
  const { summary } = result;
  const lines: string[] = [];
  lines.push('', palette.bold('Fragmentation and cost'));
  const calls = Object.entries(summary.syscalls).filter(([, n]) => n > 0);
  lines.push(
    ...columns(
      [
        ['internal', percent(summary.internalFragmentation), palette.dim('1 - requested / usable')],
        ['external', percent(summary.externalFragmentation), palette.dim('1 - largest free block / free bytes')],
        [
          'blowup',
          summary.blowup === null ? '-' : summary.blowup.toFixed(2),
          palette.dim('peak resident / peak requested'),
        ],
        ['faults', count(summary.faults), palette.dim(`of them huge: ${count(summary.hugeFaults)}`)],
        [
          'system calls',
          count(calls.reduce((sum, [, n]) => sum + n, 0)),
          calls.map(([name, n]) => `${count(n)} ${name}`).join(', '),
        ],
        ...(summary.failedAllocations > 0
          ? [['out of memory', count(summary.failedAllocations), palette.dim('allocations that failed')]]
          : []),
        ...(summary.skippedEvents > 0
          ? [['skipped', count(summary.skippedEvents), palette.dim('events that made no sense')]]
          : []),
      ],
      'lrl',
    ),
  );
  return lines;
}

function time(result: RunResult, palette: Palette): string[] {
  const { run, summary } = result;
  const lines: string[] = [];
  if (summary.latencyNs) {
    lines.push('', palette.bold('Time'));
    lines.push(
      ...columns(
        [
          ['run', duration(summary.virtualNs), palette.dim(run.mode === 'threads' ? 'measured' : 'virtual')],
          ['work', duration(summary.cpuNs ?? 0), palette.dim('of all threads')],
          ['waiting', duration(summary.waitNs ?? 0), palette.dim('for locks, of all threads')],
        ],
        'lrl',
      ),
      ...columns(
        [
          [palette.dim('latency'), palette.dim('p50'), palette.dim('p99'), palette.dim('p99.9'), palette.dim('max')],
          ...(['malloc', 'free'] as const).map((name) => {
            const l = summary.latencyNs![name];
            return [name, duration(l.p50), duration(l.p99), duration(l.p999), duration(l.max)];
          }),
        ],
        'lr',
      ),
    );
  }
  if (run.mode === 'lockstep') {
    lines.push('', palette.bold('Time'));
    lines.push('  unknown: file order has no time, so neither waiting for locks nor latency');
  }
  return lines;
}

function lockTable(result: RunResult, palette: Palette, width: number): string[] {
  const lines: string[] = [];
  const locks = [...result.locks].filter((l) => l.acquisitions > 0).sort((x, y) => y.waitNs.total - x.waitNs.total);
  if (locks.length > 0) {
    lines.push('', palette.bold('Locks'));
    lines.push(
      ...columnBlocks(
        [
          ['', 'acquired', 'contended', '', 'waited', 'p99', 'futex waits'].map(palette.dim),
          ...locks
            .slice(0, 12)
            .map((l) => [
              l.name,
              count(l.acquisitions),
              count(l.contended),
              percent(l.contended / l.acquisitions),
              duration(l.waitNs.total),
              duration(l.waitNs.p99),
              count(l.futexWaits),
            ]),
        ],
        width,
      ),
    );
    if (locks.length > 12) lines.push(palette.dim(`  and ${locks.length - 12} more`));
  }
  return lines;
}

function sampleTable(result: RunResult, palette: Palette, width: number): string[] {
  const lines: string[] = [];
  const samples = spread(result.samples, SHOWN_SAMPLES);
  if (samples.length > 1) {
    lines.push('', palette.bold('Samples'));
    lines.push(
      ...columnBlocks(
        [
          ['', 'event', 'resident', 'mapped', 'requested', 'free'].map(palette.dim),
          ...samples.map((s) => [
            escapeLine(s.label),
            count(s.event),
            bytes(s.rssBytes),
            bytes(s.vszBytes),
            bytes(s.requestedBytes),
            bytes(s.breakdown.cached + s.breakdown.pinned + s.breakdown.returnable),
          ]),
        ],
        width,
      ),
    );
    if (samples.length < result.samples.length) {
      lines.push(
        palette.dim(`  ${samples.length} of ${count(result.samples.length)}; all of them with --samples FILE`),
      );
    }
  }
  return lines;
}

function recorded({ recordedProcess }: RunResult, palette: Palette, width: number): string[] {
  return recordedProcess ? recordedProcessLines(recordedProcess, palette, width) : [];
}

function engineAndLimits(result: RunResult, palette: Palette): string[] {
  const lines: string[] = [];
  const { engine } = result;
  lines.push('', palette.bold('Engine'));
  lines.push(
    `  ${counted(engine.events, 'event')} in ${duration(engine.replayNs)}${engine.replayNs > 0 ? ` (${((engine.events / engine.replayNs) * 1000).toFixed(1)} M events/s)` : ''}, ` +
      `loaded in ${duration(engine.loadNs)}, host memory ${bytes(engine.hostRssBytes)}`,
  );
  lines.push('', palette.bold('Not modelled'));
  lines.push(
    ...(result.notModelled.length > 0 ? result.notModelled : ['nothing that this run would have used']).map(
      (line) => `  ${line}`,
    ),
  );
  return lines;
}
