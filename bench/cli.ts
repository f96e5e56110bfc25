#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import yargs, { type Argv, type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { UserError } from '../sim/assert.ts';
import { nearest } from '../sim/suggestion.ts';

// biome-ignore lint/suspicious/noExplicitAny: every command has options of its own type
type Command = CommandModule<any, any>;

/** A command whose module is loaded when it is used: `sim --help` must not load the models. */
function lazy(command: string, describe: string, load: () => Promise<Command>): Command {
  return {
    command,
    describe,
    builder: (async (y: Argv) => {
      const { builder } = await load();
      return typeof builder === 'function' ? builder(y) : y.options(builder ?? {});
      // biome-ignore lint/suspicious/noExplicitAny: yargs types a builder as synchronous, and awaits one that is not
    }) as any,
    handler: async (argv) => (await load()).handler(argv),
  };
}

/** Options whose value is a file; `-` stands for standard output. */
const FILE_OPTIONS = ['--placements', '--samples', '--syscalls'];

/** yargs takes a lone `-` for a positional argument, also behind an option that wants a file. */
function joinDashes(given: readonly string[]): string[] {
  const args: string[] = [];
  for (const arg of given) {
    const option = args.at(-1);
    if (arg === '-' && option !== undefined && FILE_OPTIONS.includes(option)) args[args.length - 1] = `${option}=-`;
    else args.push(arg);
  }
  return args;
}

const commands = [
  lazy(
    'run <workload>',
    'replay a workload under one allocator',
    async () => (await import('./commands/run.ts')).runCommand,
  ),
  lazy(
    'list [what]',
    'what there is: workloads, allocators, options',
    async () => (await import('./commands/list.ts')).listCommand,
  ),
  lazy(
    'inspect <view> <workload>',
    'the text that a real tool would print: pmap, smaps, malloc_info and more',
    async () => (await import('./commands/inspect.ts')).inspectCommand,
  ),
  lazy(
    'explain <workload>',
    'where the resident bytes are, and what keeps them there',
    async () => (await import('./commands/explain.ts')).explainCommand,
  ),
  lazy(
    'compare <workload>',
    'the same workload under several allocators, side by side',
    async () => (await import('./commands/compare.ts')).compareCommand,
  ),
  lazy(
    'sweep <workload>',
    'a grid of runs: allocators x option values x processors x seeds',
    async () => (await import('./commands/sweep.ts')).sweepCommand,
  ),
  lazy(
    'tune <workload>',
    'search over the settings of an allocator',
    async () => (await import('./commands/tune.ts')).tuneCommand,
  ),
  lazy(
    'plan <workload>',
    'how many processes fit in a machine, and what so many need',
    async () => (await import('./commands/plan.ts')).planCommand,
  ),
  lazy(
    'gate [base] [head]',
    'compare results with thresholds; for continuous integration',
    async () => (await import('./commands/gate.ts')).gateCommand,
  ),
  lazy(
    'trace',
    'work on traces: check, info, convert, cut, import, record',
    async () => (await import('./commands/trace.ts')).traceCommand,
  ),
  lazy(
    'verify <workload>',
    'replay on the real allocator of this machine too, and show the differences',
    async () => (await import('./commands/verify.ts')).verifyCommand,
  ),
  lazy(
    'calibrate',
    'measure what operations cost on this machine, for --costs',
    async () => (await import('./commands/calibrate.ts')).calibrateCommand,
  ),
  lazy('bench', 'the speed of the engine itself', async () => (await import('./commands/bench.ts')).benchCommand),
];

function version(): string {
  const path = import.meta.url.includes('/dist/') ? '../../package.json' : '../package.json';
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
}

/** One line on standard error and exit code 2 for the user's mistakes; a stack trace only for ours. */
function fail(error: unknown): never {
  if (error instanceof UserError) {
    process.stderr.write(`sim: ${error.message}\n`);
    process.exit(2);
  }
  process.stderr.write(`sim: internal error: ${error instanceof Error ? error.stack : error}\n`);
  process.exit(70);
}

// A reader that has seen enough (`sim run … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

// The help of this level is plain ASCII: the width of anything else is measured with tables that take 60 ms to load.
const parser = yargs(joinDashes(hideBin(process.argv)))
  .scriptName('sim')
  .usage(
    '$0 COMMAND ...\n\nReplays allocation traces on exact models of real allocators, and says where the memory is and why it stays.',
  )
  .command(commands)
  .demandCommand(1, 'no command given; `sim --help` lists them')
  .recommendCommands()
  .strict()
  .version(version())
  .help()
  .alias('h', 'help')
  .wrap(Math.min(120, process.stdout.columns ?? 100))
  .example('$0 run lanczos-32t --allocator=glibc', 'the built-in workload under glibc')
  .example('$0 run trace.htrace.gz --allocator=jemalloc --json', 'a recorded trace, the whole result as JSON')
  .epilogue('Exit codes: 0 done; 1 a check that was asked for failed; 2 wrong use or unreadable input.')
  .exitProcess(false)
  .fail((message, error) => {
    throw error ?? new UserError(message.replace(/\s*\n\s*/g, '; ') + optionSuggestion(message));
  });

/** Behind yargs' `Unknown argument: alocator`: which option was meant. */
function optionSuggestion(message: string): string {
  const unknown = /^Unknown arguments?: ([\w-]+)/.exec(message)?.[1];
  if (unknown === undefined) return '';
  // biome-ignore lint/suspicious/noExplicitAny: yargs knows its options at run time and does not type them
  const options = Object.keys((parser as any).getOptions().key) as string[];
  const near = nearest(unknown, options);
  return near === undefined ? '' : `, did you mean --${near}?`;
}

try {
  await parser.parseAsync();
} catch (error) {
  fail(error);
}
