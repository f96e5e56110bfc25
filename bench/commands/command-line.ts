import yargs, { type Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { nearest } from '../../sim/contract/suggestion.ts';
import { checkOptions, type KnownOptions } from '../cli/check-options.ts';
import { VERSION } from '../run/version.ts';
import { ABOUT, EPILOGUE, EXAMPLES } from './help.ts';
import { COMMANDS, type Command, type LazyCommand } from './index.ts';

function forYargs({ command, describe, load }: LazyCommand): Command {
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

/** Finds the command and runs it; throws a UserError for what cannot be understood. */
export async function runCommandLine(given: readonly string[]): Promise<void> {
  const parser: Argv = yargs(joinDashes(given))
    .scriptName('sim')
    .usage(`$0 COMMAND …\n\n${ABOUT}`)
    .command(COMMANDS.map(forYargs))
    .demandCommand(1, 'no command given; `sim --help` lists them')
    .recommendCommands()
    .strict()
    // biome-ignore lint/suspicious/noExplicitAny: yargs knows its options at run time and does not type them
    .middleware((argv: any): void => checkOptions(argv, (parser as any).getOptions() as KnownOptions), true)
    .version(VERSION)
    .help()
    .alias('h', 'help')
    .wrap(Math.min(120, process.stdout.columns ?? 100))
    .epilogue(EPILOGUE)
    .exitProcess(false)
    .fail((message, error) => {
      // biome-ignore lint/suspicious/noExplicitAny: yargs knows its options at run time and does not type them
      const known = Object.keys((parser as any).getOptions().key) as string[];
      throw error ?? new UserError(message.replace(/\s*\n\s*/g, '; ') + optionSuggestion(message, known));
    });
  for (const [command, about] of EXAMPLES) parser.example(command.replace('sim', '$0'), about);
  try {
    await parser.parseAsync();
  } catch (error) {
    if ((error as Error).name === 'YError') throw new UserError((error as Error).message);
    throw error;
  }
}

/** Behind yargs' `Unknown argument: alocator`: which option was meant. */
function optionSuggestion(message: string, known: readonly string[]): string {
  const unknown = /^Unknown arguments?: ([\w-]+)/.exec(message)?.[1];
  const near = unknown === undefined ? undefined : nearest(unknown, known);
  return near === undefined ? '' : `, did you mean --${near}?`;
}
