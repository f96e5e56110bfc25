import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus as hostCpus } from 'node:os';
import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { jsonText } from '../../sim/contract/escape.ts';
import type { Operation } from '../../sim/contract/operations.ts';
import type { Ns } from '../../sim/contract/units.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE } from '../../sim/time/costs.ts';
import { writeWhole } from '../../workloads/files/line-sink.ts';
import { note } from '../cli/show.ts';
import { measureTopology, unmeasured } from '../evidence/host-topology.ts';
import { compileNative } from '../evidence/native/native.ts';

const PROGRAM = {
  title: 'the calibration',
  name: 'calibrate',
  flags: ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-pthread'],
};

/** What the program prints: nanoseconds, bytes per nanosecond, bytes. */
export type Measured = Readonly<Record<string, number>>;

interface CalibrateArguments {
  output: string | undefined;
  rounds: number;
}

export const calibrateCommand: CommandModule<object, CalibrateArguments> = {
  command: 'calibrate',
  describe: 'measure what operations cost on this machine, as a price list for --costs',
  builder: (yargs: Argv) =>
    yargs
      .option('output', { alias: 'o', type: 'string', describe: 'file for the price list; standard output without it' })
      .option('rounds', {
        type: 'number',
        default: 7,
        describe: 'measure so often: the median of each figure counts, of lines between processors a mean',
      }) as unknown as Argv<CalibrateArguments>,
  handler: async ({ output, rounds }) => {
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
      throw new UserError(`--rounds: found '${rounds}', expected a number from 1 to 100`);
    }
    const results: Measured[] = [];
    for (let round = 0; round < rounds; round++) results.push(await measure());
    const measured = overRounds(results);
    const model = hostCpus()[0]?.model ?? 'unknown processor';
    const topology = measureTopology();
    const missing = unmeasured(topology);
    for (const what of missing) note(`calibrate: not measured ${what}`);
    const profile = {
      comment: `sim calibrate on ${model}`,
      base: DEFAULT_PROFILE,
      ...pricesFrom(measured),
      topology,
      unmeasured: missing,
      measured,
    };
    writeWhole(output ?? '-', jsonText(profile, 2));
  },
};

/** One round. The program dies with this one. */
async function measure(): Promise<Measured> {
  const child = execFile(compileNative(PROGRAM));
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (text: string) => (stdout += text));
  child.stderr!.on('data', (text: string) => (stderr += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  process.off('exit', kill);
  if (code !== 0) throw new UserError(`the calibration failed: ${stderr.trim() || signal}`);
  const found = JSON.parse(stdout) as Measured;
  // Where jemalloc is installed; the program itself looks whether it was really preloaded.
  const jemalloc = spawnSync(compileNative(PROGRAM), ['preloaded'], {
    encoding: 'utf8',
    env: { ...process.env, LD_PRELOAD: 'libjemalloc.so.2' },
  });
  return jemalloc.status === 0 ? { ...found, ...(JSON.parse(jemalloc.stdout) as Measured) } : found;
}

/**
 * Two prices where a virtual machine's processors are on one core of the host now and on two then: a median would be one or the other,
 * and up to ten times wrong soon after.
 */
const OF_TWO_STATES: ReadonlySet<string> = new Set(['lineTransferNs', 'arenaHandOverNs']);

/** Of each figure the median over the rounds that have it; of some the geometric mean. */
export function overRounds(rounds: readonly Measured[]): Measured {
  const names = new Set(rounds.flatMap((round) => Object.keys(round)));
  return Object.fromEntries(
    [...names].map((name) => {
      const values = rounds.flatMap((round) => round[name] ?? []).sort((a, b) => a - b);
      return [name, OF_TWO_STATES.has(name) ? geometricMean(values) : values[values.length >> 1]!];
    }),
  );
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** What glibc does on average in a call of the calibration's working set (calibrate/working-set.c), as the model of it counts. */
const ARENA_CALL = { steps: 1.19, splits: 0.456, coalesces: 0.48, listInserts: 0.485 };

type Figures = (name: string, otherwise: number) => number;

const positive = (value: number): number => Math.max(0, Number(value.toPrecision(4)));

function threadPrices(m: Figures, base: Costs): Partial<Costs> {
  const life = m('threadLifeNs', base.threadBeginNs + base.threadExitNs);
  const beginShare = m('threadBeginShare', base.threadBeginNs / (base.threadBeginNs + base.threadExitNs));
  return {
    threadCreateNs: positive(m('threadCreateNs', base.threadCreateNs)),
    threadBeginNs: positive(life * beginShare),
    threadExitNs: positive(life * (1 - beginShare)),
  };
}

function betweenProcessors(m: Figures, base: Costs): Partial<Costs> {
  return {
    lineTransferNs: positive(m('lineTransferNs', base.lineTransferNs)),
    lineKeepNs: positive(m('lineKeepNs', base.lineKeepNs)),
    guardedTransferNs: positive(m('arenaHandOverNs', base.guardedTransferNs)),
    shootDownNs: positive(m('shootDownNs', base.shootDownNs)),
    shootDownTargetNs: positive(m('shootDownTargetNs', base.shootDownTargetNs)),
    interruptNs: positive(m('interruptNs', base.interruptNs)),
  };
}

function memoryPrices(m: Figures, base: Costs): Partial<Costs> {
  return {
    cacheL2Bytes: m('cacheL2Bytes', 0) || base.cacheL2Bytes,
    cacheL3Bytes: Math.min(m('cacheL3Bytes', 0) || base.cacheL3Bytes, m('usableCacheBytes', Infinity)),
    fillRateL2: positive(Math.max(m('fillRateL1', 0), m('fillRateL2', base.fillRateL2))),
    fillRateL3: positive(m('fillRateL3', base.fillRateL3)),
    fillRateMemory: positive(m('fillRateMemory', base.fillRateMemory)),
    // A difference of two large times: no better than the shared cache, whatever came out.
    fillRateCleared: positive(
      Math.min(m('fillRateL3', base.fillRateL3), 4096 / Math.max(1, m('faultFillNs', 4096 / base.fillRateCleared))),
    ),
    writeL3Ns: positive(m('scatteredWriteL3Ns', base.writeL3Ns)),
    writeMemoryNs: positive(m('scatteredWriteMemoryNs', base.writeMemoryNs)),
  };
}

/** Prices from measurements. What no measurement isolates keeps the price of the default profile. */
export function pricesFrom(measured: Measured): Partial<Costs> {
  const base = COST_PROFILES[DEFAULT_PROFILE]!;
  const m = (name: string, otherwise: number) => measured[name] ?? otherwise;
  const call = m('mallocFreePairNs', base.mallocNs + base.freeNs);
  const lock = m('mutexPairNs', base.lockNs);
  const jemallocCall = m(
    'jemallocPairNs',
    (call * (base.jemallocMallocNs + base.jemallocFreeNs)) / (base.mallocNs + base.freeNs),
  );
  const entry = m('syscallEntryNs', base.syscallNs);
  const release = m('munmapPageNs', base.operations.pagesReleased);
  const fault = m('faultNs', base.operations.faults);
  // Rounds of a call that takes a page away, the fault that brought it, and the calls before: less all that has a price of its own.
  const called = (name: Operation) => m(`${name}Ns`, base.operations[name] + entry);
  const inRound = (name: string, others: Ns, otherwise: Ns) =>
    positive(m(name, otherwise + fault + release + others) - fault - release - others);
  const flush = inRound('madviseRoundNs', called('madvise'), base.operations.flushes);
  const wake = m('futexWakeNobodyNs', base.futexWakeNs);
  const switching = m('contextSwitchNs', base.contextSwitchNs);
  const handOver = m('futexHandOverSameCpuNs', wake + base.wakeThreadNs + switching);
  const wakeThread = handOver - wake - m('futexWaitFailedNs', base.futexWaitNs) - switching;
  // A trip into an arena, less what of it has a price of its own: the lock, a split or a coalesce.
  const slow = m('arenaPairNs', 2 * base.operations.slowCalls + call) / 2 - call / 2 - lock - base.operations.splits;
  const { splits, coalesces, listInserts } = base.operations;
  const known =
    Math.max(0, slow) +
    lock +
    ARENA_CALL.splits * splits +
    ARENA_CALL.coalesces * coalesces +
    ARENA_CALL.listInserts * listInserts;
  // What a call costs with chunks of a heap that no cache holds and a way through it that nothing foresees, lies in the
  // chunks that it looks at.
  const step = (m('arenaCallNs', known + ARENA_CALL.steps * base.operations.binScanSteps) - known) / ARENA_CALL.steps;
  const mallocShare = m('mallocShare', base.mallocNs / (base.mallocNs + base.freeNs));
  const jemallocShare = m('jemallocShare', base.jemallocMallocNs / (base.jemallocMallocNs + base.jemallocFreeNs));
  const call1 = (name: string, otherwise: number) => positive(m(name, otherwise + entry) - entry);
  return {
    eventNs: positive(m('eventNs', base.eventNs)),
    pollLimitNs: positive(200 * m('pauseNs', base.pollLimitNs / 200)), // looks of the ground-truth replay, a pause after each
    mallocNs: positive(call * mallocShare),
    freeNs: positive(call * (1 - mallocShare)),
    jemallocMallocNs: positive(jemallocCall * jemallocShare),
    jemallocFreeNs: positive(jemallocCall * (1 - jemallocShare)),
    operations: {
      ...base.operations,
      slowCalls: positive(slow),
      binScanSteps: positive(step),
      treeSteps: positive(step),
      bytesCopied: positive(1 / m('copyRateL2', 1 / base.operations.bytesCopied)),
      bytesCleared: positive(1 / m('fillRateL2', 1 / base.operations.bytesCleared)),
      faults: positive(fault),
      hugeFaults: positive(fault + 2097152 / m('fillRateMemory', base.fillRateMemory)),
      pagesReleased: positive(release),
      brk: call1('brkNs', base.operations.brk),
      mmap: call1('mmapNs', base.operations.mmap),
      munmap: inRound('munmapRoundNs', called('mmap') + entry + flush, base.operations.munmap),
      mremap: call1('mremapNs', base.operations.mremap),
      madvise: call1('madviseNs', base.operations.madvise),
      mprotect: call1('mprotectNs', base.operations.mprotect),
      flushes: flush,
      mappingsEntered: positive(m('firstFaultNs', fault + base.operations.mappingsEntered) - fault),
      brkShrinks: inRound('brkRoundNs', 2 * called('brk') + flush, base.operations.brkShrinks),
    },
    priceSpread: Math.min(0.25, positive(m('priceSpread', base.priceSpread))),
    lockNs: positive(lock),
    spinLimitNs: positive(600 * m('pauseNs', base.spinLimitNs / 600)), // MALLOC_MUTEX_MAX_SPIN looks, a pause before each
    syscallNs: positive(entry),
    futexWaitNs: positive(m('futexWaitFailedNs', base.futexWaitNs)),
    futexWakeNs: positive(wake),
    futexWakeWorkNs: positive(m('futexWakeNotMeantNs', wake + base.futexWakeWorkNs) - wake),
    wakeThreadNs: positive(wakeThread),
    wakeIdleNs: positive(m('futexWakeIdleNs', base.wakeIdleNs + wake) - wake),
    wakeLatencyNs: positive(m('wakeLatencyNs', base.wakeLatencyNs)),
    contextSwitchNs: positive(switching),
    ...threadPrices(m, base),
    ...betweenProcessors(m, base),
    ...memoryPrices(m, base),
  };
}
