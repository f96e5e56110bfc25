import type { CommandModule } from 'yargs';

// biome-ignore lint/suspicious/noExplicitAny: every command has options of its own type
export type Command = CommandModule<any, any>;

/** A command whose module is loaded when it is used: `sim --help` must not load the models. */
export interface LazyCommand {
  readonly command: string;
  readonly describe: string;
  readonly load: () => Promise<Command>;
}

const lazy = (command: string, describe: string, load: () => Promise<Command>): LazyCommand => ({
  command,
  describe,
  load,
});

/** Every command, in the order of `sim --help`. */
export const COMMANDS: readonly LazyCommand[] = [
  lazy('run <workload>', 'replay a workload under one allocator', async () => (await import('./run.ts')).runCommand),
  lazy(
    'list [what]',
    'what there is: workloads, allocators, options, scenarios of machines',
    async () => (await import('./list.ts')).listCommand,
  ),
  lazy(
    'inspect <view> <workload>',
    'the text that a real tool would print: pmap, smaps, malloc_info and more',
    async () => (await import('./inspect.ts')).inspectCommand,
  ),
  lazy(
    'explain <workload>',
    'where the resident bytes are, and what keeps them there',
    async () => (await import('./explain.ts')).explainCommand,
  ),
  lazy(
    'compare <workload>',
    'the same workload under several allocators, side by side',
    async () => (await import('./compare.ts')).compareCommand,
  ),
  lazy(
    'record [program..]',
    'run a program and record what it does with malloc (the same as `trace record`)',
    async () => (await import('./trace/record.ts')).recordCommand,
  ),
  lazy(
    'sweep <workload>',
    'a grid of runs: allocators x option values x processors x seeds',
    async () => (await import('./sweep.ts')).sweepCommand,
  ),
  lazy(
    'tune <workload>',
    'search over the settings of an allocator',
    async () => (await import('./tune.ts')).tuneCommand,
  ),
  lazy(
    'plan <workload>',
    'how many processes fit in a machine, and what so many need',
    async () => (await import('./plan.ts')).planCommand,
  ),
  lazy(
    'machine <script>',
    'a whole machine of many processes: fork, shared memory, page cache, groups, reclaim, huge pages',
    async () => (await import('./machine.ts')).machineCommand,
  ),
  lazy(
    'worker',
    'make the runs of sweep, tune, plan, compare with --engine, on any number of machines',
    async () => (await import('./worker.ts')).workerCommand,
  ),
  lazy(
    'gate [base] [head]',
    'compare results with thresholds; for continuous integration',
    async () => (await import('./gate.ts')).gateCommand,
  ),
  lazy(
    'trace',
    'work on traces: check, info, convert, cut, import, record',
    async () => (await import('./trace.ts')).traceCommand,
  ),
  lazy(
    'verify <workload>',
    'replay on the real allocator of this machine too, and show the differences',
    async () => (await import('./verify.ts')).verifyCommand,
  ),
  lazy(
    'calibrate',
    'measure what operations cost on this machine, for --costs',
    async () => (await import('./calibrate.ts')).calibrateCommand,
  ),
  lazy('completion <shell>', 'a script that completes commands and options: bash, zsh, fish', async () =>
    (await import('./completion.ts')).completionCommand(COMMANDS),
  ),
  lazy('bench', 'the speed of the engine itself', async () => (await import('./bench.ts')).benchCommand),
];
