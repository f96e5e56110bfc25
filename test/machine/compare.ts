import type { MachineLine } from '../../machine/script/run.ts';
import {
  type Condition,
  type FigureClass,
  FREE_AND_LISTS,
  GENERATION,
  GROUP,
  GROUP_CURRENT,
  GROUP_PRESSURE,
  GROUP_SWAP,
  MACHINE,
  MACHINE_GROWTH,
  NAME_TIME,
  PROCESS,
  PROCESS_GROWTH,
  RECLAIM,
  REGION,
  STEP,
  THP_EVENTS,
  THP_SCANS,
  type Tolerance,
  WRITE_TIME,
  WRITEBACK,
  withVictims,
} from './classes.ts';

// biome-ignore lint/suspicious/noExplicitAny: lines of recorded JSON, of eight kinds
type Line = any;

export interface Comparison {
  /** Figures compared, by class. */
  readonly compared: Record<Tolerance['kind'], number>;
  readonly wrong: string[];
}

const keyOf = (line: Line) => [line.t, line.label ?? line.step ?? '', line.p ?? line.cg ?? line.cmd ?? ''].join(' ');
const FAULTS_ARE_EXACT = /\b(touch|mlock|populate\w*|lock)\b/;

/** Everything that the truth says, against the run: what is outside its class. */
export function compareLines(truth: readonly Line[], run: readonly MachineLine[]): Comparison {
  const comparer = new Comparer(truth, run);
  for (const line of truth) comparer.line(line);
  comparer.checkFaults();
  return comparer;
}

class Comparer implements Comparison {
  readonly compared = { exact: 0, constant: 0, band: 0, free: 0 };
  readonly wrong: string[] = [];
  private readonly lines = new Map<string, Line>();
  private readonly first = new Map<string, { truth: Line; run: Line }>();
  /** Conditions that hold from some sample on. */
  private reclaiming = false;
  private huge = false;
  private objects = false;
  private groupsWrite = false;
  private flushing = false;
  private swapping = false;
  /** Regions that map a disk's file. */
  private readonly ofDisk = new Set<string>();
  /** Samples in which processes are killed and not yet gone, there or here: how many. */
  private readonly victims = new Map<string, number>();
  private readonly lazy = new Set<string>();
  private readonly limited = new Set<string>();
  /** Groups that have met a limit, by the sample that says so. */
  private readonly limitedAt = new Map<string, string[]>();
  private readonly writers = new Set<string>();
  private readonly groupOf = new Map<string, string>();
  private readonly faults: { truth: Line; run: Line; at: string; process: string }[] = [];

  constructor(truth: readonly Line[], run: readonly MachineLine[]) {
    for (const line of run) this.lines.set(keyOf(line), line);
    for (const label of new Set(truth.map((line) => line.label))) {
      const going = [truth, run].map((lines: readonly Line[]) =>
        lines.filter((line) => line.label === label && isGoing(line)),
      );
      const count = Math.max(...going.map(({ length }) => length));
      if (count > 0) this.victims.set(label, count);
    }
    for (const { t, label, cg, events } of truth) {
      if (t !== 'cgroup' || !(events.max > 0 || events.high > 0)) continue;
      this.limitedAt.set(label, [...(this.limitedAt.get(label) ?? []), cg]);
    }
  }

  line(truth: Line): void {
    const compare = (this as unknown as Record<string, ((truth: Line, run: Line, at: string) => void) | undefined>)[
      truth.t
    ];
    if (!['step', 'death', 'machine', 'proc', 'cgroup', 'cat'].includes(truth.t) || !compare) return;
    const at = keyOf(truth);
    const run = this.lines.get(at) ?? (truth.t === 'death' ? this.deathNear(truth) : undefined);
    if (truth.t !== 'step' && truth.t !== 'death' && truth.t !== 'machine') this.checkFaults();
    if (run) compare.call(this, truth, run, at);
    else if (!isGoing(truth)) this.wrong.push(`${at}: not in the run`);
  }

  /** Who was killed is gone when he has had the processor for long enough, beside others, by ticks: that may be a step sooner or later. */
  private deathNear({ step, p }: Line): Line | undefined {
    const near = [-1, 1, -2, 2].map((off) => this.lines.get(`death ${step + off} ${p}`));
    return near.find((line) => line?.signal === 9);
  }

  private check(at: string, own: FigureClass, truth: unknown, run: unknown, holding: readonly Condition[] = []): void {
    const tolerance = own.unless?.find(([condition]) => holding.includes(condition))?.[1] ?? own.tolerance;
    this.compared[tolerance.kind]++;
    if (within(tolerance, truth ?? 0, run ?? 0)) return;
    this.wrong.push(`${at}: ${tolerance.kind}: real ${truth ?? 0}, simulated ${run ?? 0}`);
  }

  /** The first values of a thing: both sides count their growth from there. */
  private firstOf(key: string, truth: Line, run: Line): { truth: Line; run: Line } {
    let own = this.first.get(key);
    if (!own) {
      own = { truth, run };
      this.first.set(key, own);
    }
    return own;
  }

  step(truth: Line, run: Line, at: string): void {
    const words = truth.cmd.split(/\s+/);
    if (words[1] === 'filemap' && words[3].startsWith('/mnt/')) this.ofDisk.add(words[2]);
    if (words[1] === 'into') this.groupOf.set(words[0], words[2]);
    if (words[1] === 'fork') this.groupOf.set(words[2], this.groupOf.get(words[0]) ?? '');
    if (
      ['write', 'filemap', 'files', 'mkdir', 'stats', 'dentries'].includes(words[1]) &&
      !words.some((word: string) => word.startsWith('/dev/shm'))
    ) {
      const group = this.groupOf.get(words[0]) ?? '';
      // What a group counts, those above it count too.
      for (let at = group; ; at = at.slice(0, at.lastIndexOf('/'))) {
        this.writers.add(at);
        if (!at.includes('/')) break;
      }
      if (group !== '') this.groupsWrite = true;
    }
    if (/^\S+ (files|stats|dentries|fds|pipes|sockets|udp|threads|mkdir)\b/.test(truth.cmd) || this.writers.size > 0)
      this.objects = true;
    for (const name of ['state', 'err'] as const) this.check(`${at} ${name}`, STEP[name]!, truth[name], run[name]);
    if (!truth.err && truth.ret !== undefined) this.check(`${at} ret`, STEP['ret']!, truth.ret, run.ret);
    if (words[1] === 'write' && words[2].startsWith('/mnt/') && !truth.err && truth.us !== undefined)
      this.check(`${at} us`, WRITE_TIME, truth.us, run.us, this.groupsWrite ? ['limited group writes'] : []);
    if (/^(files|stats|dentries)$/.test(words[1]) && !truth.err && truth.us !== undefined)
      this.check(`${at} us`, NAME_TIME, truth.us, run.us);
    if (FAULTS_ARE_EXACT.test(truth.cmd)) this.faults.push({ truth, run, at, process: words[0] });
  }

  /** Faults of the steps since the last sample, once it is known whether reclaim began with them. */
  checkFaults(): void {
    for (const { truth, run, at, process } of this.faults.splice(0)) {
      const holding = this.holding(this.lazy.has(process));
      if (this.flushing) holding.push('flusher');
      if (this.cacheIsReclaimed(truth.cmd.split(/\s+/)[2])) holding.push('group under reclaim');
      for (const name of ['minflt', 'majflt'] as const)
        this.check(`${at} ${name}`, STEP[name]!, truth[name], run[name], holding);
    }
  }

  death(truth: Line, run: Line, at: string): void {
    this.check(`${at} signal`, STEP['ret']!, truth.signal, run.signal);
    this.check(`${at} exit`, STEP['ret']!, truth.exit, run.exit);
  }

  private holding(lazy: boolean): Condition[] {
    const swapping = this.swapping ? (['swapping'] as const) : [];
    if (!this.reclaiming) return [...swapping];
    return [
      ...swapping,
      ...(lazy ? (['lazyfree under reclaim'] as const) : []),
      ...(this.huge ? (['huge pages under reclaim'] as const) : []),
    ];
  }

  machine(truth: Line, run: Line, at: string): void {
    for (const group of this.limitedAt.get(truth.label) ?? []) this.limited.add(group);
    if (reclaimOf(truth, 'pgscan') > 0) this.reclaiming = true;
    if (truth.meminfo.SwapTotal > 0 && (this.reclaiming || this.limited.size > 0)) this.swapping = true;
    if (truth.vmstat.thp_fault_alloc > 0) this.huge = true;
    const mark = this.groupsWrite ? 0 : truth.vmstat.nr_dirty_background_threshold;
    if (this.ofDisk.size > 0 && truth.vmstat.nr_dirtied > mark) this.flushing = true;
    const holding = this.holding(false);
    if (this.victims.has(truth.label)) holding.push('victim');
    if (this.objects) holding.push('kernel objects');
    if (this.reclaiming) holding.push('reclaim');
    if (this.groupsWrite) holding.push('limited group writes');
    if (this.limited.size > 0) holding.push('group at its limit');
    for (const [name, own] of Object.entries(MACHINE)) {
      this.check(`${at} ${name}`, own, truth.meminfo[name], run.meminfo[name], holding);
    }
    if (truth.zones)
      this.check(`${at} free and lists`, FREE_AND_LISTS, freeAndLists(truth), freeAndLists(run), holding);
    for (const [name, own] of Object.entries(RECLAIM)) {
      this.check(`${at} ${name}`, own, reclaimOf(truth, name), reclaimOf(run, name), holding);
    }
    for (const [name, own] of Object.entries(WRITEBACK))
      this.check(`${at} ${name}`, own, truth.vmstat[name], run.vmstat[name], holding);
    const first = this.firstOf('machine', truth.meminfo, run.meminfo);
    for (const [name, own] of Object.entries(MACHINE_GROWTH)) {
      const growth = (side: 'truth' | 'run', now: Line) => now.meminfo[name] - first[side][name];
      this.check(`${at} ${name} growth`, own, growth('truth', truth), growth('run', run), holding);
    }
    const events = [...Object.keys(truth.vmstat), ...Object.keys(run.vmstat)].filter((name) => name.startsWith('thp_'));
    for (const name of new Set(events)) {
      const own = name.startsWith('thp_scan_') ? THP_SCANS : THP_EVENTS;
      this.check(`${at} ${name}`, own, truth.vmstat[name], run.vmstat[name], holding);
    }
  }

  /** The generations of each group: which there are, and how large. */
  cat(truth: Line, run: Line, at: string): void {
    if (truth.path !== '/sys/kernel/debug/lru_gen') return;
    const [real, own] = [generationsOf(truth.text), generationsOf(run.text)];
    this.check(`${at} generations`, STEP['ret']!, [...real.keys()].join(', '), [...own.keys()].join(', '));
    for (const [generation, pages] of real) {
      for (const [i, kind] of ['anon', 'file'].entries())
        this.check(`${at} ${generation} ${kind}`, GENERATION, pages[i], own.get(generation)?.[i]);
    }
  }

  proc(truth: Line, run: Line, at: string): void {
    this.check(`${at} dying`, STEP['ret']!, isGoing(truth), isGoing(run));
    if (isGoing(truth)) return;
    const named = (line: Line) => line.vmas.filter(({ r }: { r: string }) => r !== '[heap]');
    const regions = named(truth);
    for (const region of regions) if (region.LazyFree > 0) this.lazy.add(truth.p).add(`${truth.p} ${region.r}`);
    const first = this.firstOf(truth.p, truth.status, run.status);
    for (const [name, own] of Object.entries(PROCESS_GROWTH)) {
      this.check(
        `${at} ${name} growth`,
        own,
        truth.status[name] - first.truth[name],
        run.status[name] - first.run[name],
      );
    }
    const holding = this.holding(this.lazy.has(truth.p));
    if (regions.some(({ r }: { r: string }) => this.cacheIsReclaimed(r))) holding.push('group under reclaim');
    for (const [name, own] of Object.entries(PROCESS)) {
      const side = name === 'VmRSS' ? 'status' : 'rollup';
      this.check(`${at} ${name}`, own, truth[side][name], run[side][name], holding);
    }
    const others = named(run);
    this.check(`${at} regions`, STEP['ret']!, regions.length, others.length);
    for (const [i, region] of regions.entries()) {
      this.region(`${at} ${region.r}+${region.off}`, region, others[i] ?? {}, truth.p);
    }
  }

  private region(at: string, truth: Line, run: Line, process: string): void {
    for (const name of ['r', 'off', 'perm']) this.check(`${at} ${name}`, STEP['ret']!, truth[name], run[name]);
    const holding = this.holding(this.lazy.has(`${process} ${truth.r}`));
    if (this.flushing && this.ofDisk.has(truth.r)) holding.push('flusher');
    if (this.cacheIsReclaimed(truth.r)) holding.push('group under reclaim');
    for (const [name, own] of Object.entries(REGION)) this.check(`${at} ${name}`, own, truth[name], run[name], holding);
  }

  /** Some group has met its limit, or the machine reclaims, and the region maps a disk's file: which of its pages stay is chosen then. */
  private cacheIsReclaimed(region: string): boolean {
    return (this.limited.size > 0 || this.reclaiming) && this.ofDisk.has(region);
  }

  /** A limit that is met reclaims in all groups below, and those above count what is left. */
  private isUnderReclaim(group: string): boolean {
    return [...this.limited].some((one) => `${group}/`.startsWith(`${one}/`) || `${one}/`.startsWith(`${group}/`));
  }

  cgroup(truth: Line, run: Line, at: string): void {
    const holding: Condition[] = [];
    if (this.isUnderReclaim(truth.cg) || this.reclaiming) holding.push('group under reclaim');
    if (this.writers.has(truth.cg)) holding.push('group wrote a disk');
    if (this.limited.size > 0 && this.writers.has(truth.cg)) holding.push('files of a limited group');
    if (this.swapping) holding.push('swapping');
    if (this.reclaiming && this.lazy.size > 0) holding.push('lazyfree under reclaim');
    if (this.limited.size > 0) holding.push('group at its limit');
    const victims = this.victims.get(truth.label) ?? 0;
    if (victims > 0) holding.push('victim');
    const going = victims > 0 ? withVictims(victims) : undefined;
    for (const [name, own] of [...Object.entries(GROUP), ...Object.entries(GROUP_SWAP)])
      this.check(`${at} ${name}`, (name === 'anon' && going) || own, truth.stat[name], run.stat[name], holding);
    this.check(`${at} current`, going ?? GROUP_CURRENT, truth.current, run.current, holding);
    if (this.groupsWrite) holding.push('limited group writes');
    this.check(`${at} pressure`, GROUP_PRESSURE, truth.pressure.some[2], run.pressure.some[2], holding);
  }
}

/** A process that is killed, and shows no memory of its own any more. */
const isGoing = ({ t, status }: Line): boolean => t === 'proc' && status.VmSize === undefined;

function within(tolerance: Tolerance, truth: unknown, run: unknown): boolean {
  if (tolerance.kind === 'free') return true;
  if (tolerance.kind === 'exact' || typeof truth !== 'number' || typeof run !== 'number') return truth === run;
  if (tolerance.kind === 'constant') return run - truth <= tolerance.above && truth - run <= tolerance.below;
  return Math.abs(run - truth) <= Math.max(tolerance.part * Math.abs(truth), tolerance.floor);
}

/** Pages of anonymous memory and of files by group and generation. */
function generationsOf(text: string): Map<string, [number, number]> {
  const result = new Map<string, [number, number]>();
  let group = '';
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === 'memcg') group = words[2]!;
    else if (words.length === 4) result.set(`${group} ${words[0]}`, [Number(words[2]), Number(words[3])]);
  }
  return result;
}

function freeAndLists({ zones, meminfo }: Line): number {
  const { MemFree, Slab, PageTables = 0, KernelStack, VmallocUsed } = meminfo;
  const listed = MemFree + Slab + PageTables + KernelStack + VmallocUsed;
  return zones.reduce((sum: number, { pcp }: { pcp: number }) => sum + 4 * pcp, listed);
}

/** A sum over kswapd and direct reclaim, a count, or the total of stalls. */
function reclaimOf({ vmstat, psi_memory }: Line, name: string): number {
  if (name === 'some') return psi_memory.some[2];
  if (name.startsWith('pgs')) return (vmstat[`${name}_kswapd`] ?? 0) + (vmstat[`${name}_direct`] ?? 0);
  return vmstat[name] ?? 0;
}
