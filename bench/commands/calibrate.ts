import { spawnSync } from 'node:child_process';
import { cpus as hostCpus } from 'node:os';
import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/assert.ts';
import { COST_PROFILES, type Costs, DEFAULT_PROFILE } from '../../sim/threads/costs.ts';
import { compileNative } from '../native/native.ts';
import { writeWhole } from '../line-sink.ts';

const PROGRAM = {
  title: 'the calibration',
  name: 'calibrate',
  sources: ['calibrate.c'],
  headers: [],
  flags: ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-pthread'],
};

/** What calibrate.c prints: nanoseconds, bytes per nanosecond, bytes. */
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
        default: 3,
        describe: 'measure so often and take the least of each: a busy machine only adds time',
      }) as unknown as Argv<CalibrateArguments>,
  handler: ({ output, rounds }) => {
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) {
      throw new UserError(`--rounds: found '${rounds}', expected a number from 1 to 100`);
    }
    let measured = measure();
    for (let round = 1; round < rounds; round++) measured = better(measured, measure());
    const model = hostCpus()[0]?.model ?? 'unknown processor';
    const profile = { comment: `sim calibrate on ${model}`, base: DEFAULT_PROFILE, ...pricesFrom(measured), measured };
    writeWhole(output ?? '-', JSON.stringify(profile, null, 2));
  },
};

function measure(): Measured {
  const result = spawnSync(compileNative(PROGRAM), { encoding: 'utf8' });
  if (result.status !== 0) throw new UserError(`the calibration failed: ${result.stderr.trim() || result.signal}`);
  return JSON.parse(result.stdout) as Measured;
}

/** The undisturbed value of each figure: times the least, rates the largest. */
export function better(a: Measured, b: Measured): Measured {
  return Object.fromEntries(
    Object.entries(a).map(([name, value]) => {
      const pick = name.endsWith('Ns') ? Math.min : Math.max;
      return [name, pick(value, b[name] ?? value)];
    }),
  );
}

/** Prices from measurements. What no measurement isolates keeps the price of the default profile. */
export function pricesFrom(measured: Measured): Partial<Costs> {
  const base = COST_PROFILES[DEFAULT_PROFILE]!;
  const m = (name: string, otherwise: number) => measured[name] ?? otherwise;
  const positive = (value: number) => Math.max(0, Number(value.toPrecision(4)));
  const call = m('mallocFreePairNs', base.mallocNs + base.freeNs);
  const lock = m('mutexPairNs', base.lockNs);
  const entry = m('syscallEntryNs', base.syscallNs);
  const release = m('munmapPageNs', base.operations.pagesReleased);
  const wake = m('futexWakeNobodyNs', base.futexWakeNs);
  const switching = m('contextSwitchNs', base.contextSwitchNs);
  const handOver = m('futexHandOverSameCpuNs', wake + base.wakeThreadNs + switching);
  const wakeThread = handOver - wake - m('futexWaitFailedNs', base.futexWaitNs) - switching;
  const life = m('threadLifeNs', base.threadBeginNs + base.threadExitNs) * Math.min(32, m('cpus', 1));
  const call1 = (name: string, otherwise: number) => positive(m(name, otherwise + entry) - entry);
  return {
    mallocNs: positive(call * 0.55),
    freeNs: positive(call * 0.45),
    operations: {
      ...base.operations,
      // A trip into an arena, less what of it has a price of its own: the lock, a split or a coalesce.
      slowCalls: positive(
        m('arenaPairNs', 2 * base.operations.slowCalls + call) / 2 - call / 2 - lock - base.operations.splits,
      ),
      bytesCopied: positive(1 / m('copyRateL2', 1 / base.operations.bytesCopied)),
      bytesCleared: positive(1 / m('fillRateL2', 1 / base.operations.bytesCleared)),
      faults: positive(m('faultNs', base.operations.faults)),
      hugeFaults: positive(m('faultNs', base.operations.faults) + 2097152 / m('fillRateMemory', base.fillRateMemory)),
      pagesReleased: positive(release),
      brk: call1('brkNs', base.operations.brk),
      mmap: call1('mmapNs', base.operations.mmap),
      munmap: positive(m('munmapNs', base.operations.munmap + entry + release) - entry - release),
      mremap: call1('mremapNs', base.operations.mremap),
      madvise: call1('madviseNs', base.operations.madvise),
      mprotect: call1('mprotectNs', base.operations.mprotect),
    },
    lockNs: positive(lock),
    lineTransferNs: positive(m('lineTransferNs', base.lineTransferNs)),
    spinLimitNs: positive(600 * (m('pauseNs', 10) + 2)), // MALLOC_MUTEX_MAX_SPIN looks, a pause before each
    syscallNs: positive(entry),
    futexWaitNs: positive(m('futexWaitFailedNs', base.futexWaitNs)),
    futexWakeNs: positive(wake),
    wakeThreadNs: positive(wakeThread),
    wakeLatencyNs: positive(m('futexHandOverNs', base.wakeLatencyNs + wake) - wake),
    contextSwitchNs: positive(switching),
    threadBeginNs: positive(life * 0.4),
    threadExitNs: positive(life * 0.6),
    shootDownNs: positive(m('shootDownNs', base.shootDownNs)),
    interruptNs: positive(m('shootDownNs', base.shootDownNs) * 0.4),
    cacheL2Bytes: m('cacheL2Bytes', 0) || base.cacheL2Bytes,
    cacheL3Bytes: m('cacheL3Bytes', 0) || base.cacheL3Bytes,
    fillRateL2: positive(Math.max(m('fillRateL1', 0), m('fillRateL2', base.fillRateL2))),
    fillRateL3: positive(m('fillRateL3', base.fillRateL3)),
    fillRateMemory: positive(m('fillRateMemory', base.fillRateMemory)),
  };
}
