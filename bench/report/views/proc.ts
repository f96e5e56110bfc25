import { HUGE_PAGES } from '../../../sim/contract/units.ts';
import type { Kernel } from '../../../sim/kernel/kernel.ts';
import { MMAP_BOTTOM_PAGE, realAddress } from '../../../sim/kernel/layout.ts';
import { LAZILY_FREED, RESIDENT } from '../../../sim/kernel/residency.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE, VM_ELIDED, VM_HUGEPAGE, VM_NOHUGEPAGE } from '../../../sim/kernel/vma.ts';

interface Mapping {
  readonly firstPage: number;
  readonly endPage: number;
  readonly start: number;
  readonly end: number;
  readonly kilobytes: number;
  readonly residentKb: number;
  readonly lazyKb: number;
  readonly flags: number;
  readonly heap: boolean;
}

function mappings(kernel: Kernel): Mapping[] {
  const { vmas, pages } = kernel;
  const indices = Array.from({ length: vmas.count() }, (_, index) => index);
  return indices.flatMap((index) => {
    if (vmas.flags(index) & VM_ELIDED) return [];
    const start = vmas.start(index);
    const end = vmas.end(index);
    let resident = 0;
    let lazy = 0;
    for (let page = start; page < end; page++) {
      if (pages[page] === RESIDENT) resident++;
      else if (pages[page] === LAZILY_FREED) lazy++;
    }
    return {
      firstPage: start,
      endPage: end,
      start: realAddress(start * 4096),
      end: realAddress((end - 1) * 4096) + 4096,
      kilobytes: (end - start) * 4,
      residentKb: (resident + lazy) * 4,
      lazyKb: lazy * 4,
      flags: vmas.flags(index),
      heap: start < MMAP_BOTTOM_PAGE,
    };
  });
}

function modeText(flags: number, dash: string): string {
  return (flags & PROT_READ ? 'r' : '-') + (flags & PROT_WRITE ? 'w' : '-') + (flags & PROT_EXEC ? 'x' : '-') + dash;
}

const right = (value: number, width: number) => `${value}`.padStart(width);

/** As `pmap -x` prints the allocator's mappings; the program's own (text, libraries, stacks) are not simulated. */
export function pmapText(kernel: Kernel): string {
  const all = mappings(kernel);
  const sum = (of: (m: Mapping) => number) => all.reduce((total, m) => total + of(m), 0);
  const rss = sum((m) => m.residentKb);
  return `${[
    'Address           Kbytes     RSS   Dirty Mode  Mapping',
    ...all.map(
      (m) =>
        `${m.start.toString(16).padStart(16, '0')} ${right(m.kilobytes, 7)} ${right(m.residentKb, 7)} ${right(m.residentKb - m.lazyKb, 7)} ${modeText(m.flags, '--')}   [ anon ]`,
    ),
    '---------------- ------- ------- ------- ',
    `total kB         ${right(
      sum((m) => m.kilobytes),
      7,
    )} ${right(rss, 7)} ${right(rss - sum((m) => m.lazyKb), 7)}`,
  ].join('\n')}\n`;
}

/** As /proc/PID/smaps shows the allocator's mappings. */
export function smapsText(kernel: Kernel): string {
  return mappings(kernel)
    .map((m) => {
      const field = (name: string, kb: number) => `${`${name}:`.padEnd(16)}${right(kb, 8)} kB`;
      const huge = kernel.residency.hugeIn(m.firstPage, m.endPage) * HUGE_PAGES * 4;
      const range = `${m.start.toString(16)}-${m.end.toString(16)} ${modeText(m.flags, 'p')} 00000000 00:00 0 `;
      const vmFlags = [
        m.flags & PROT_READ ? 'rd' : '',
        m.flags & PROT_WRITE ? 'wr' : '',
        'mr mw me ac',
        m.flags & VM_HUGEPAGE ? 'hg' : '',
        m.flags & VM_NOHUGEPAGE ? 'nh' : '',
      ].filter(Boolean);
      return [
        m.heap ? `${range.padEnd(73)}[heap]` : range,
        field('Size', m.kilobytes),
        field('KernelPageSize', 4),
        field('MMUPageSize', 4),
        field('Rss', m.residentKb),
        field('Pss', m.residentKb),
        field('Shared_Clean', 0),
        field('Shared_Dirty', 0),
        field('Private_Clean', m.lazyKb),
        field('Private_Dirty', m.residentKb - m.lazyKb),
        field('Referenced', m.residentKb - m.lazyKb),
        field('Anonymous', m.residentKb),
        field('LazyFree', m.lazyKb),
        field('AnonHugePages', huge),
        field('Swap', 0),
        field('SwapPss', 0),
        field('Locked', 0),
        `VmFlags: ${vmFlags.join(' ')} `,
      ].join('\n');
    })
    .join('\n')
    .concat('\n');
}

/** The memory lines of /proc/PID/status, of the allocator's mappings alone. */
export function statusText(kernel: Kernel): string {
  const field = (name: string, kb: number) => `${name}:\t${right(kb, 8)} kB`;
  return `${[
    field('VmPeak', kernel.mappedPeakPages() * 4),
    field('VmSize', kernel.mappedPages() * 4),
    field('VmHWM', kernel.residency.residentPeakPages() * 4),
    field('VmRSS', kernel.residency.residentPages() * 4),
    field('RssAnon', kernel.residency.residentPages() * 4),
    field('VmData', kernel.vmas.writablePages() * 4),
  ].join('\n')}\n`;
}

/** What the process adds to the lines of /proc/meminfo: the numbers that a monitoring of the machine shows. */
export function meminfoText(kernel: Kernel): string {
  const { residency, vmas } = kernel;
  const lazyKb = residency.lazilyFreedPages() * 4;
  const field = (name: string, kb: number) => `${`${name}:`.padEnd(16)}${right(kb, 8)} kB`;
  return `${[
    field('Active(anon)', residency.residentPages() * 4 - lazyKb),
    field('Inactive(file)', lazyKb), // pages after MADV_FREE wait on the list of clean file pages
    field('AnonPages', residency.residentPages() * 4),
    field('AnonHugePages', residency.hugePages() * HUGE_PAGES * 4),
    field('Committed_AS', vmas.writablePages() * 4),
  ].join('\n')}\n`;
}
