import type { Kernel } from '../../kernel/kernel.ts';
import { meminfo } from '../../kernel/meminfo.ts';
import type { MachineRun } from '../../script/machine-run.ts';
import { wrongOption } from '../wrong-option.ts';

/** Rates since the start, a second. */
function rates(k: Kernel): { si: number; so: number; bi: number; bo: number } {
  const seconds = Math.max(1, k.nowUs / 1e6);
  const { pswpin, pswpout, pgpgin, pgpgout } = k.vmstat;
  const round = (value: number) => Math.floor(value / seconds + 0.5);
  return { si: round(pswpin * 4), so: round(pswpout * 4), bi: round(pgpgin), bo: round(pgpgout) };
}

interface VmstatOptions {
  unitBytes: number;
  active: boolean;
  wide: boolean;
  summary: boolean;
}

const UNIT_BYTES: Readonly<Record<string, number>> = { k: 1000, K: 1024, m: 1e6, M: 2 ** 20 };

function optionsOf(words: readonly string[]): VmstatOptions {
  const options: VmstatOptions = { unitBytes: 1024, active: false, wide: false, summary: false };
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '-a' || word === '--active') options.active = true;
    else if (word === '-w' || word === '--wide') options.wide = true;
    else if (word === '-s' || word === '--stats') options.summary = true;
    else if (word === '-S' || word === '--unit') {
      const unit = UNIT_BYTES[words[++i] ?? ''];
      if (unit === undefined) throw wrongOption('vmstat -S', words[i] ?? '', 'k, K, m or M');
      options.unitBytes = unit;
    } else throw wrongOption('vmstat', word, '-a, -w, -s or -S UNIT');
  }
  return options;
}

/** As vmstat prints its first line, and vmstat -s. */
export function vmstatToolText(run: MachineRun, words: readonly string[]): string {
  const { k } = run;
  const options = optionsOf(words);
  if (options.summary) return summary(run);
  const info = meminfo(k);
  const size = (kb: number) => Math.floor((kb * 1024) / options.unitBytes);
  const running = run.processes.filter(({ alive, busy }) => alive && busy).length;
  const memory = [
    info['SwapTotal']! - info['SwapFree']!,
    info['MemFree']!,
    ...(options.active
      ? [info['Inactive']!, info['Active']!]
      : [info['Buffers']!, info['Cached']! + info['SReclaimable']!]),
  ].map(size);
  const { si, so, bi, bo } = rates(k);
  const columns = options.wide ? WIDE : NARROW;
  // Commands are work of the kernel, and the disk answers at once. Interrupts and switches are not counted.
  const idle = k.nowUs > 0 ? Math.round((run.idleUs * 100) / k.nowUs) : 100;
  const values = [Math.max(1, running), 0, ...memory, si, so, bi, bo, 0, 0, 0, 100 - idle, idle, 0, 0, 0];
  const names = 'r b swpd free buff cache si so bi bo in cs us sy id wa st gu'.split(' ');
  if (options.active) names.splice(4, 2, options.wide ? 'inact' : 'inact', 'active');
  const row = (cells: readonly (string | number)[]) =>
    columns.widths.map((width, i) => String(cells[i]).padStart(width)).join(' ');
  return `${columns.head}\n${row(names)}\n${row(values)}\n`;
}

const NARROW = {
  head: 'procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----',
  widths: [2, 2, 6, 6, 6, 6, 4, 4, 5, 5, 4, 4, 2, 2, 2, 2, 2],
};
const WIDE = {
  head: '--procs-- -----------------------memory---------------------- ---swap-- -----io---- -system-- ----------cpu----------',
  widths: [4, 4, 12, 12, 12, 12, 4, 4, 5, 5, 4, 4, 3, 3, 3, 3, 3, 3],
};

/** USER_HZ: processor time is told in ticks of so many microseconds. */
const TICK_US = 10_000;

/** vmstat -s. The machine's clock begins at 0, where the script does. */
function summary({ k, idleUs }: MachineRun): string {
  const info = meminfo(k);
  const kb = (name: string) => info[name] ?? 0;
  const line = (value: number, text: string) => `${String(value).padStart(13)} ${text}\n`;
  return [
    line(kb('MemTotal'), 'K total memory'),
    line(kb('MemTotal') - kb('MemAvailable'), 'K used memory'),
    line(kb('Active'), 'K active memory'),
    line(kb('Inactive'), 'K inactive memory'),
    line(kb('MemFree'), 'K free memory'),
    line(kb('Buffers'), 'K buffer memory'),
    line(kb('Cached') + kb('SReclaimable'), 'K swap cache'),
    line(kb('SwapTotal'), 'K total swap'),
    line(kb('SwapTotal') - kb('SwapFree'), 'K used swap'),
    line(kb('SwapFree'), 'K free swap'),
    line(0, 'non-nice user cpu ticks'),
    line(0, 'nice user cpu ticks'),
    line(Math.floor((k.nowUs - idleUs) / TICK_US), 'system cpu ticks'),
    line(Math.floor(idleUs / TICK_US), 'idle cpu ticks'),
    ...[
      'IO-wait cpu ticks',
      'IRQ cpu ticks',
      'softirq cpu ticks',
      'stolen cpu ticks',
      'non-nice guest cpu ticks',
      'nice guest cpu ticks',
    ].map((text) => line(0, text)),
    line(k.vmstat.pgpgin, 'K paged in'),
    line(k.vmstat.pgpgout, 'K paged out'),
    line(k.vmstat.pswpin, 'pages swapped in'),
    line(k.vmstat.pswpout, 'pages swapped out'),
    line(0, 'interrupts'),
    line(0, 'CPU context switches'),
    line(0, 'boot time'),
    // The tool's own process is the last.
    line(k.pids.next, 'forks'),
  ].join('');
}
