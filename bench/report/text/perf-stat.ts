import { count, counted } from '../../../sim/contract/format.ts';
import type { TlbSettings } from '../../../sim/tlb/settings.ts';
import type { TlbCounts } from '../../../sim/tlb/tlb.ts';
import type { RunResult, TlbResult } from '../../run/result.ts';
import { escapeLine } from '../escape.ts';

/** What `perf stat -e dTLB-loads,dTLB-load-misses` would count on that processor, by the kernel's tables of events. */
export interface PerfEvents {
  readonly loads: number;
  readonly loadMisses: number;
  /** Only where the processor counts stores apart. */
  readonly stores?: number;
  readonly storeMisses?: number;
}

export function perfEvents({ loadsAre }: TlbSettings, counts: Readonly<TlbCounts>): PerfEvents {
  if (loadsAre === 'l1-misses') {
    return {
      loads: counts.loadL1Misses + counts.storeL1Misses,
      loadMisses: counts.loadWalks + counts.storeWalks,
    };
  }
  return {
    loads: counts.loads,
    loadMisses: counts.loadWalks,
    stores: counts.stores,
    storeMisses: counts.storeWalks,
  };
}

/** The result's TLB in perf stat's layout, and below it what the counts rest on. */
export function perfStatText(result: RunResult, tlb: TlbResult): string {
  const { settings, counts } = tlb;
  const events = perfEvents(settings, counts);
  const line = (value: number, name: string, note = '') =>
    `${count(value).padStart(18)}      ${note === '' ? name : `${name.padEnd(24)}  # ${note}`}`;
  const share = (part: number, whole: number) =>
    `${(whole === 0 ? 0 : (part / whole) * 100).toFixed(2).padStart(6)}% of all dTLB cache accesses`;
  const walks = counts.loadWalks + counts.storeWalks;
  const misses = counts.loadL1Misses + counts.storeL1Misses;
  const accesses = counts.loads + counts.stores;
  return [
    ` Performance counter stats for '${escapeLine(result.run.workload)} under ${escapeLine(result.run.allocator)}':`,
    '',
    line(events.loads, 'dTLB-loads'),
    line(events.loadMisses, 'dTLB-load-misses', share(events.loadMisses, events.loads)),
    ...(events.stores === undefined
      ? []
      : [
          line(events.stores, 'dTLB-stores'),
          line(events.storeMisses!, 'dTLB-store-misses', share(events.storeMisses!, events.stores)),
        ]),
    '',
    ` ${settings.name}: of ${counted(accesses, 'access', 'accesses')} ${count(misses)} missed the first level, ${count(walks)} both (${count(counts.faultWalks)} for faults)`,
    ` page walks read ${counted(counts.walkRefs, 'entry', 'entries')}; ${costText(settings, misses - walks, counts.walkRefs, accesses)}`,
    ' assumed:',
    ...assumptions(settings),
    '',
  ].join('\n');
}

function costText({ l2Cycles, refCycles }: TlbSettings, l2Hits: number, walkRefs: number, accesses: number): string {
  if (l2Cycles === 0 && refCycles === 0) return 'for their cost give l2cycles=, refcycles=';
  const cycles = l2Hits * l2Cycles + walkRefs * refCycles;
  return `misses cost ${counted(cycles, 'cycle')}, ${accesses === 0 ? '0.00' : (cycles / accesses).toFixed(2)} an access`;
}

function assumptions(settings: TlbSettings): string[] {
  const { reads, step, loadsAre, l2, walkCache } = settings;
  const first =
    loadsAre === 'l1-misses'
      ? 'dTLB-loads are what missed the first level, loads and stores (events 0xff45, 0xf045)'
      : 'dTLB-loads are all loads';
  return [
    `   ${first} (loads=…)`,
    `   blocks are written as %touch and w lines say, and read ${reads === 1 ? 'once' : `${reads} times`} before they are freed (reads=${reads})`,
    `   ${step} bytes an access (step=${step}); the allocator's own accesses, code and stacks are not counted`,
    '   each thread has a processor of its own; events come in file order',
    `   the second level has ${l2.ways} ways (l2ways=), the walker keeps ${walkCache} directory entries (walkcache=)`,
  ];
}
