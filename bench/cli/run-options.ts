import { cpus as hostCpus } from 'node:os';
import type { Argv } from 'yargs';
import { parseAllocator } from '../../allocators/spec.ts';
import { UserError } from '../../sim/contract/assert.ts';
import type { PassingTrace, Touch, TraceSummary } from '../../sim/contract/event.ts';
import { counted } from '../../sim/contract/format.ts';
import type { Start } from '../../sim/contract/start.ts';
import type { Bytes } from '../../sim/contract/units.ts';
import type { KernelOptions, KernelVersion } from '../../sim/kernel/kernel.ts';
import { openPassingTrace, type PassingFile, type PassingOrder } from '../../workloads/trace/passing.ts';
import { CPUS_MAX, recordedCpus } from '../../workloads/trace/recorded-cpus.ts';
import type { ParameterValues, WorkloadTime } from '../../workloads/workload.ts';
import { FAR_FROM } from '../run/machine.ts';
import { ignoredSettings, recordedAllocator } from '../run/recorded-allocator.ts';
import { type RunOptions, timedRows } from '../run/run-options.ts';
import { bytesOption } from './bytes-option.ts';
import { isTrace, loadWorkload } from './load-workload.ts';
import { note } from './show.ts';

const THP_MODES: readonly KernelOptions['thp'][] = ['never', 'madvise', 'always'];

/** What every command that runs a machine understands. */
export interface MachineArguments {
  workload: string;
  /** Default: recordedAllocator(). */
  allocator: string | undefined;
  cpus: number | undefined;
  kernel: KernelVersion;
  touch: Touch | undefined;
  seed: number;
  thp: KernelOptions['thp'] | undefined;
  'rlimit-as': string | undefined;
  'rlimit-data': string | undefined;
  lenient: boolean;
  'faithful-abort'?: boolean;
  /** Of commands that have it: a file for samples as they come. */
  samples?: string | undefined;
}

export function machineOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .positional('workload', {
      type: 'string',
      demandOption: true,
      describe: 'a built-in name (`sim list workloads`) or a trace file, - for stdin',
    })
    .option('allocator', {
      alias: 'a',
      type: 'string',
      describe: 'name[@version][:option=value,…][+below]; default: glibc, for a recording what it ran under',
    })
    .option('cpus', {
      type: 'number',
      describe:
        'simulated processors; default: the workload’s own, for a recording those of its machine, else this machine’s',
    })
    .option('kernel', {
      type: 'string', // else 6.1 would be a number, and no choice
      choices: ['6.18', '6.1'] as const,
      default: '6.18' as const,
      describe: 'whose placement rules mmap follows',
    })
    .option('touch', {
      choices: ['full', 'first', 'none'] as const,
      describe: 'what is written into fresh blocks, over the trace’s own',
    })
    .option('seed', { type: 'number', default: 0, describe: 'of everything that is drawn' })
    .option('thp', {
      choices: THP_MODES,
      describe: 'transparent huge pages; default: never, for a recording as on its machine',
    })
    .option('rlimit-as', { type: 'string', describe: 'RLIMIT_AS over the allocator’s mappings, bytes (K, M, G, T)' })
    .option('rlimit-data', { type: 'string', describe: 'RLIMIT_DATA likewise' })
    .option('lenient', {
      type: 'boolean',
      default: false,
      describe: 'skip and count events that make no sense',
    }) as Argv<T>;
}

export interface Prepared {
  /** Everything that a run needs but its time and its outputs. */
  readonly options: RunOptions;
  /** How the workload's time passes by default; undefined for a trace. */
  readonly time: WorkloadTime | undefined;
}

/** A built-in workload and its machine without the events, which are not generated. */
export interface DescribedRun {
  readonly workload: string;
  readonly parameters: ParameterValues;
  readonly start: Start;
  readonly cpus: number;
  readonly kernel: Partial<KernelOptions>;
  readonly touch?: Touch;
  readonly time: WorkloadTime;
}

/** undefined for a trace. */
export async function describeRun(argv: MachineArguments): Promise<DescribedRun | undefined> {
  const kernel = checkedKernel(argv);
  if (isTrace(argv.workload)) return undefined;
  const { describeWorkload } = await import('../../workloads/index.ts');
  const described = describeWorkload(argv.workload, { seed: argv.seed });
  if (!described) return undefined;
  const { name, parameters, start, time } = described;
  const cpus = argv.cpus ?? described.cpus;
  return { workload: name, parameters, start, cpus, kernel, time, ...(argv.touch && { touch: argv.touch }) };
}

/** What is wrong with the options should not wait for a long trace to load. */
function checkedKernel(argv: MachineArguments): Partial<KernelOptions> {
  if (argv.cpus !== undefined && !(Number.isInteger(argv.cpus) && argv.cpus >= 1 && argv.cpus <= CPUS_MAX)) {
    throw new UserError(`--cpus: found '${argv.cpus}', expected a number from 1 to ${CPUS_MAX}`);
  }
  const rlimitAs = limit('rlimit-as', argv['rlimit-as']);
  const rlimitData = limit('rlimit-data', argv['rlimit-data']);
  if (argv.allocator !== undefined) parseAllocator(argv.allocator, argv.cpus ?? 1);
  return { version: argv.kernel, thp: argv.thp ?? 'never', rlimitAs, rlimitData };
}

/** As it was where the trace was recorded; said where it makes a difference to every program. */
function recordedThp(name: string, { recorded }: TraceSummary): KernelOptions['thp'] {
  const known = new Map(recorded.machine).get('thp');
  const mode = THP_MODES.find((mode) => mode === known) ?? 'never';
  if (mode === 'always') note(`${name}: recorded with huge pages always, and run so; --thp never runs it without`);
  return mode;
}

/** Said where it is not what everybody expects. */
function recordedUnder(name: string, events: Pick<TraceSummary, 'recorded' | 'hasRequestEvents'>): string {
  const allocator = recordedAllocator(events);
  const ignored = ignoredSettings(events);
  if (ignored.length > 0) note(`${name}: recorded with ${ignored.join(', ')} too, which a run leaves out`);
  if (allocator !== 'glibc') note(`${name}: recorded under ${allocator}, and run so; -a takes another`);
  else if (isTrace(name) && events.hasRequestEvents)
    note(
      `${name}: blocks of PHP's own heap (em, ef) are glibc's here, as with USE_ZEND_ALLOC=0; PHP's are -a zendmm+glibc`,
    );
  return allocator;
}

/** The workload's own, which decide how many arenas there are; of a recording that is said where this machine has others. */
function cpusOf(name: string, own: number | undefined): number {
  const here = hostCpus().length;
  const cpus = own ?? here;
  if (isTrace(name) && cpus !== here)
    note(`${name}: recorded on ${counted(cpus, 'processor')}, and run so; --cpus takes another`);
  return cpus;
}

/** Loads the workload and resolves the machine. */
export async function prepare(argv: MachineArguments): Promise<Prepared> {
  const kernel = checkedKernel(argv);
  const started = performance.now();
  const workload = await loadWorkload(argv.workload, {
    lenient: argv.lenient,
    staleFrees: argv['faithful-abort'] === true,
    seed: argv.seed,
  });
  const cpus = argv.cpus ?? cpusOf(workload.name, workload.cpus);
  const thp = argv.thp ?? recordedThp(workload.name, workload.events);
  return {
    time: workload.time,
    options: {
      events: workload.events,
      workload: workload.name,
      parameters: workload.parameters,
      start: workload.start,
      spec: parseAllocator(argv.allocator ?? recordedUnder(workload.name, workload.events), cpus),
      cpus,
      seed: argv.seed,
      kernel: { ...kernel, thp },
      ...(argv.touch && { touch: argv.touch }),
      loadNs: Math.round((performance.now() - started) * 1e6),
    },
  };
}

export interface PassingRun<T extends PassingTrace = PassingTrace> extends RunOptions<T> {
  /** About how many there are, where nothing says so but the file's size. */
  readonly expectedEvents?: number | undefined;
}

type OpenTrace<T> = (argv: MachineArguments, order: PassingOrder) => T | undefined | Promise<T | undefined>;

/** The same for a trace that is read while it is executed; undefined where that cannot be. */
export async function preparePassing(argv: MachineArguments, order: PassingOrder): Promise<PassingRun | undefined> {
  return prepareOpened(argv, order, openPassing);
}

/** The same where it is a file in binary form, of which several runs may each read their own. */
export async function prepareFile(
  argv: MachineArguments,
  order: PassingOrder,
): Promise<PassingRun<PassingFile> | undefined> {
  return prepareOpened(argv, order, () => openPassingTrace(argv.workload, order));
}

async function prepareOpened<T extends PassingTrace>(
  argv: MachineArguments,
  order: PassingOrder,
  open: OpenTrace<T>,
): Promise<PassingRun<T> | undefined> {
  const kernel = checkedKernel(argv);
  const started = performance.now();
  const trace = (await isBuiltIn(argv.workload)) ? undefined : await open(argv, order);
  if (!trace) return undefined;
  const openNs = Math.round((performance.now() - started) * 1e6);
  const { events, waitedNs } = timedRows(trace);
  const { workedMs } = trace;
  const cpus = argv.cpus ?? cpusOf(argv.workload, recordedCpus(events));
  return {
    events,
    expectedEvents: trace.expectedLength,
    workload: argv.workload,
    parameters: {},
    start: 'barrier',
    spec: parseAllocator(argv.allocator ?? recordedUnder(argv.workload, events), cpus),
    cpus,
    seed: argv.seed,
    kernel: { ...kernel, thp: argv.thp ?? recordedThp(argv.workload, events) },
    ...(argv.touch && { touch: argv.touch }),
    loadNs: workedMs ? () => Math.round(workedMs() * 1e6) : () => openNs + waitedNs(),
    rowsNs: waitedNs,
  };
}

/** A text passes where nobody wants to hear of single lines. */
async function openPassing(argv: MachineArguments, order: PassingOrder): Promise<PassingTrace | undefined> {
  const binary = openPassingTrace(argv.workload, order);
  if (binary || argv.lenient || argv.samples !== undefined) return binary;
  const { openPassingText } = await import('../run/text/passing-text.ts');
  return openPassingText(argv.workload, { order, requestedPeakBytes: FAR_FROM });
}

/** Whether `given` names a built-in workload, and no trace. */
export async function isBuiltIn(given: string): Promise<boolean> {
  return !isTrace(given) && (await import('../../workloads/index.ts')).isBuiltIn(given);
}

const limit = (option: string, text: string | undefined): Bytes =>
  text === undefined ? Infinity : bytesOption(option, text);
