import { bytes, count, duration, percent } from '../../../../sim/contract/format.ts';
import { columnBlocks, fold } from '../../../report/text/fold.ts';
import type { Palette } from '../../../report/text/palette.ts';
import { rangeText } from '../advice/range-text.ts';
import type { Explanation } from '../explanation.ts';
import { isWide } from './orders.ts';
import { setsDefaults } from './setting.ts';
import { callsOf, type WhatIf } from './what-if.ts';

/** A row a setting that changes something, with what it takes beside what it saves. */
export function whatIfLines(e: Explanation, palette: Palette, width: number): string[] {
  if (e.whatIf.length === 0) return [];
  const rows = e.whatIf.filter((w) => hasEffect(w, e));
  const without = e.whatIf.filter((w) => !rows.includes(w)).map(({ setting }) => setting);
  const remark = (text: string) => fold(`  ${text}`, width, '  ').map(palette.dim);
  return [
    '',
    palette.bold('What other settings would do (each was run)'),
    ...(rows.length > 0 ? table(e, rows, palette, width) : []),
    ...(without.length > 0 ? remark(`Without effect here: ${without.join('; ')}.`) : []),
    ...(e.threads > 1 && rows.some((w) => !w.orders) ? remark(ONE_ORDER) : []),
    ...(rows.length > 0 ? remark(workRemark(e, rows)) : []),
    ...(rows.length > 0 ? remark(rows.some(isMxfast) ? `${LOCALITY} ${LOCALITY_OF_MXFAST}` : LOCALITY) : []),
    ...(rows.length > 0 ? remark(FAULTS) : []),
    ...(rows.some(isDefaults) ? remark(DEFAULTS) : []),
  ];
}

const ONE_ORDER = '~: run in the order of the trace alone; what threads leave is another figure in every run.';

const WORK =
  'work: what was counted in file order, times the price list; waits for locks and what the program writes itself are not in it.';
const ONE_THREAD =
  'work: simulated in time as it is and with what would be advised; of the others what is counted more or less, times the price list. No setting is advised untimed.';

/** With one thread what is timed is the work: it waits for nobody. */
const isOneThread = ({ times, threads }: Explanation): boolean => times !== null && threads === 1;

function workRemark(e: Explanation, rows: readonly WhatIf[]): string {
  const program = e.programNs === null ? '' : ` ${PROGRAM}`;
  if (isOneThread(e)) return `${ONE_THREAD}${program}`;
  return e.times && rows.some(isTimed) ? `${WORK} ${TIMED}${program}` : WORK;
}

/** Run in virtual time, and judged by that. */
const isTimed = ({ cpuNs }: WhatIf): boolean => cpuNs !== null;
const TIMED =
  'timed: the work with threads beside each other, of what would be advised; what a setting may cost goes by that, and no row without it is advised for its work.';

const PROGRAM = 'It goes by what that is of the processor time of the program.';

/** docs/results/explain.md. */
const LOCALITY =
  'Prices know no caches: where blocks come to lie otherwise, the accesses of the allocator and of the program take more or less than that, and the sign may be wrong.';
const LOCALITY_OF_MXFAST =
  'With mxfast=0, which puts free blocks side by side, some programs took as long, some up to half less processor time in all.';

const isMxfast = ({ setting }: WhatIf): boolean => setting.split(',').includes('mxfast=0');

const FAULTS = 'faults: those of the heap; what the process touches beside it is not in them.';

const isDefaults = ({ setting }: WhatIf): boolean => setting.split(',').some(setsDefaults);
const DEFAULTS =
  '131072 is what both thresholds begin with. It helps because it is set: then neither rises when a mapped block is freed.';

function hasEffect(w: WhatIf, { sample, rssPeakBytes }: Explanation): boolean {
  return (
    w.failed ||
    w.rssBytes !== sample.rssBytes ||
    w.rssPeakBytes !== rssPeakBytes ||
    w.vszBytes !== sample.vszBytes ||
    w.faults !== sample.faults ||
    w.syscalls !== callsOf(sample.syscalls)
  );
}

function table(e: Explanation, shown: readonly WhatIf[], palette: Palette, width: number): string[] {
  const { sample, workNs, times, orders } = e;
  const inTime = times && !isOneThread(e) && shown.some(isTimed);
  return columnBlocks(
    [
      ['', 'resident', '', 'work', ...(inTime ? ['timed'] : []), 'peak', 'mapped', 'faults', 'system calls'].map(
        palette.dim,
      ),
      [
        'as it is',
        orders && isWide(orders) ? `${bytes(sample.rssBytes)} (${rangeText(orders)})` : bytes(sample.rssBytes),
        '',
        duration(workNs),
        ...(inTime ? [duration(times.cpuNs)] : []),
        bytes(e.rssPeakBytes),
        bytes(sample.vszBytes),
        count(sample.faults),
        count(callsOf(sample.syscalls)),
      ],
      ...shown.map((w) => [
        w.setting,
        ...residentCells(e, w),
        change(w.workNs, workNs),
        ...(inTime ? [isTimed(w) ? changes(w.cpuNs!, w.cpuMostNs ?? w.cpuNs!, times.cpuNs) : ''] : []),
        bytes(w.rssPeakBytes),
        bytes(w.vszBytes),
        count(w.faults),
        count(w.syscalls),
      ]),
    ],
    width,
  );
}

/** `-33.0 %`. */
const change = (now: number, before: number): string =>
  before === 0 ? '' : `${now <= before ? '' : '+'}${percent(now / before - 1)}`;

/** `-33.0 to +5.0 %`; one where they read the same. */
function changes(least: number, most: number, before: number): string {
  const [low, high] = [change(least, before), change(most, before)];
  return low === high ? low : `${low.replace(' %', '')} to ${high}`;
}

/** What is resident and by how much that is less: over the runs where they lie apart; of one order of several threads about. */
function residentCells({ sample, threads }: Explanation, { rssBytes, orders }: WhatIf): [string, string] {
  if (!orders || !isWide(orders)) {
    const about = !orders && threads > 1 ? '~' : '';
    return [`${about}${bytes(rssBytes)}`, change(rssBytes, sample.rssBytes)];
  }
  return [rangeText(orders), changes(orders.leastBytes, orders.mostBytes, sample.rssBytes)];
}
