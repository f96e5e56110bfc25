import { bytes, columns, count, duration, percent } from '../../../sim/contract/format.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { fold } from '../../report/text/fold.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/palette.ts';
import type { PlanResult, PlanRow } from './plan.ts';

export function planText(result: PlanResult, palette: Palette = PLAIN, width = 80): string {
  const { memory, reserve, shared, extra, processes, risk, mix, rows } = result;
  const time = result.mode === 'lockstep' ? result.mode : `${result.mode}, pace ${result.pace}`;
  const given = [
    `${bytes(memory)} of memory`,
    ...(reserve > 0 ? [`${bytes(reserve)} of it kept free`] : []),
    ...(shared > 0 ? [`${bytes(shared)} shared by all`] : []),
    ...(extra > 0 ? [`${bytes(extra)} a process beside its heap`] : []),
  ];
  const lines = [
    ...fold(`${palette.bold(escapeLineStart(result.workload))}, ${time}`, width, '  '),
    ...(result.partial ? [interruptedMark(true, palette)] : []),
    ...fold(given.join(', '), width, '  '),
    ...(mix.length > 1 ? mix.map((m) => `  ${percent(m.share)} ${escapeLine(m.workload)}`) : []),
    '',
  ];
  for (const row of rows) {
    lines.push(...fold(palette.bold(row.allocator), width, '  '), ...rowLines(row, processes, memory, risk), '');
  }
  lines.push(palette.dim('Assumed:'), ...result.assumed.flatMap((text) => fold(text, width, '  ').map(palette.dim)));
  return `${lines.join('\n')}\n`;
}

/** One allocator: what a process needs, how many fit, and what the wanted number needs. */
function rowLines(row: PlanRow, processes: number | null, memory: number, risk: number): string[] {
  const safe = `${percent(1 - risk)}`.replace(
    /^100\.0 %$/,
    `${(100 - risk * 100).toPrecision(6).replace(/0+$/, '')} %`,
  );
  return columns(
    [
      [
        'a process',
        `mean ${bytes(row.meanBytes)}, deviation ${bytes(row.deviationBytes)}, peak ${bytes(row.highestBytes ?? row.peakBytes)}`,
      ],
      ['', `half of the time below ${bytes(row.p50Bytes)}, 95 % ${bytes(row.p95Bytes)}, 99 % ${bytes(row.p99Bytes)}`],
      ...(row.virtualNs === null ? [] : [['a run', duration(row.virtualNs)]]),
      [
        'fit',
        row.fitsIndependent === null || row.fitsAtPeak === null
          ? 'as many as one likes: nothing is ever resident'
          : `${count(row.fitsIndependent)} with ${safe} certainty; ${count(row.fitsAtPeak)} all at their peak`,
      ],
      ...(processes === null
        ? []
        : [
            [
              `${count(processes)} ${processes === 1 ? 'needs' : 'need'}`,
              `${bytes(row.needsIndependentBytes!)}; ${bytes(row.needsAtPeakBytes!)} all at their peak`,
            ],
            [
              '',
              `${processes === 1 ? 'it exceeds' : 'they exceed'} ${bytes(memory)} with a probability of ${probability(row.exceedingProbability!)}`,
            ],
          ]),
    ],
    'l',
  );
}

const probability = (p: number) => (p === 0 ? '0' : p < 1e-7 ? 'less than 1e-7' : `${Number(p.toPrecision(2))}`);
