import yargs, { type Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { nearest, suggestion } from '../../sim/contract/suggestion.ts';
import { waitForReaders } from '../../workloads/files/fifo-reader.ts';
import {
  checkOptions,
  checkOutputs,
  checkSwitches,
  type KnownOptions,
  nameStandardOutput,
  OUTPUTS,
  outputFiles,
  takeBack,
} from '../cli/check-options.ts';
import { withConfig } from '../cli/config-file.ts';
import { describeCommands } from '../cli/describe.ts';
import { terminalWidth } from '../cli/width.ts';
import { shellWord } from '../report/escape.ts';
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
const FILE_OPTIONS = OUTPUTS.map((name) => `--${name}`);

/** Options whose value is a list. */
const LIST_OPTIONS = ['--allocators', '--grid', '--metrics', '--options', '--cpus', '--threads'];

/**
 * yargs takes a lone `-` for a positional argument, also behind an option that wants a file; and what follows a comma and a space in a
 * list for one too.
 */
function joinValues(given: readonly string[]): string[] {
  const args: string[] = [];
  for (const arg of given) {
    const option = args.at(-1);
    const list = args.at(-2);
    const isList = list !== undefined && LIST_OPTIONS.includes(list);
    if (isList && (option!.endsWith(',') || arg.startsWith(','))) args[args.length - 1] += arg;
    // yargs takes `-4G` for options named 4 and G.
    else if (/^-[\d.]+[^\d.]/.test(arg) && /^--[^=]+$/.test(option ?? '') && !args.includes('--'))
      args[args.length - 1] = `${option}=${arg}`;
    else if (arg === '-' && option !== undefined && FILE_OPTIONS.includes(option))
      args[args.length - 1] = `${option}=-`;
    else args.push(arg);
  }
  return args;
}

/** `--plugin FILE`, as often as one likes: what it adds must be known before anything else is read. */
function takePlugins(given: readonly string[]): { readonly files: string[]; readonly rest: string[] } {
  const files: string[] = [];
  const rest: string[] = [];
  const end = given.indexOf('--');
  for (let i = 0; i < given.length; i++) {
    const arg = given[i]!;
    if (end >= 0 && i >= end) rest.push(arg);
    else if (arg.startsWith('--plugin=')) files.push(arg.slice('--plugin='.length));
    else if (arg !== '--plugin') rest.push(arg);
    else if (given[++i] === undefined) throw new UserError('--plugin: found nothing behind it, expected a file');
    else files.push(given[i]!);
  }
  return { files, rest };
}

/** Behind `--` they have a program and what is for it. */
const WITH_PROGRAM = ['record'];

/**
 * yargs takes nothing behind `--` for a command's own words. They are names, also with a dash: then of a file of this folder. They go before
 * the options that stand last, so that none of these takes one for its value.
 */
function plainWords(given: readonly string[]): readonly string[] {
  const end = given.indexOf('--');
  if (end < 0 || given.slice(0, 2).some((word) => WITH_PROGRAM.includes(word))) return given;
  const words = given.slice(end + 1).map((word) => (word.startsWith('-') && word !== '-' ? `./${word}` : word));
  let at = end;
  while (at > 0 && /^-.[^=]*$/.test(given[at - 1]!)) at--;
  return [...given.slice(0, at), ...words, ...given.slice(at, end)];
}

/** Options as they are: they are no names of files. */
const plainOr = (word: string): string => (/^-[\w=-]*$/.test(word) ? word : shellWord(word));

/** Where an unknown option stands behind a program and nothing tells whose it is: how to write it. */
function programText(message: string, given: readonly string[], withValue: readonly string[]): string | undefined {
  const command = given.slice(0, 2).findIndex((word) => WITH_PROGRAM.includes(word));
  if (command < 0 || given.includes('--') || !message.startsWith('Unknown argument')) return undefined;
  const takesNext = (word: string | undefined) =>
    /^--?[^=]+$/.test(word ?? '') && withValue.includes(word!.replace(/^--?/, ''));
  const program = given.findIndex((word, i) => i > command && !word.startsWith('-') && !takesNext(given[i - 1]));
  const option = given.findIndex((word, i) => i > program && word.startsWith('-'));
  if (program < 0 || option < 0) return undefined;
  const line = ['sim', ...given.slice(0, program), '--', ...given.slice(program)].map(plainOr).join(' ');
  return `${given[command]}: found '${given[option]}' behind the program and no --, expected a program's own options behind it: ${line}`;
}

const NO_COMMAND = 'no command given; `sim --help` lists them';

/** `sim help COMMAND` is `sim COMMAND --help`, and `sim trace help COMMAND` likewise. */
function asHelp(given: readonly string[]): readonly string[] {
  const at = given[0] === 'trace' ? 1 : 0;
  return given[at] === 'help' ? [...given.toSpliced(at, 1).filter((arg) => !arg.startsWith('-')), '--help'] : given;
}

/** What stands where a command is expected is one, or an option that is known without a command. */
function checkCommand(given: readonly string[]): void {
  const [first] = given;
  if (first === undefined) throw new UserError(NO_COMMAND);
  const names = COMMANDS.map(({ command }) => command.split(' ', 1)[0]!);
  if (first.startsWith('-')) {
    const option = first.replace(/=.*/, '');
    if (['--help', '-h', '--version'].includes(option) || given.some((arg) => names.includes(arg))) return;
    const near = nearest(option, ['--help', '--version']);
    throw new UserError(
      `found option '${first}' and no command${near ? `, did you mean ${near}?` : ', expected a command: `sim --help` lists them'}`,
    );
  }
  if (names.includes(first)) return;
  const near = nearest(first, names);
  const file = /[./]/.test(first) ? `; for a workload: sim run ${shellWord(first)}` : '';
  throw new UserError(
    `unknown command '${first}'${near ? `, did you mean 'sim ${near}'?` : file || `, expected one of ${names.join(', ')}`}`,
  );
}

/** Finds the command and runs it; throws a UserError for what cannot be understood. */
export async function runCommandLine(all: readonly string[]): Promise<void> {
  const { files, rest: typed } = takePlugins(all);
  if (files.length > 0) await (await import('../metrics/plugins.ts')).loadPlugins(files);
  checkCommand(asHelp(typed));
  const given = await withConfig(asHelp(typed), () => describeCommands(COMMANDS));
  const parser: Argv = yargs(joinValues(plainWords(given)))
    .scriptName('sim')
    .usage(`$0 COMMAND …\n\n${ABOUT}`)
    .command(COMMANDS.map(forYargs))
    .demandCommand(1, NO_COMMAND)
    .strict()
    // Option names have no parts: `--allocator.a=1` is none.
    .parserConfiguration({ 'dot-notation': false })
    .middleware((argv): void => {
      // biome-ignore lint/suspicious/noExplicitAny: yargs knows its options at run time and does not type them
      const known = (parser as any).getOptions() as KnownOptions;
      takeBack(argv, known);
      nameStandardOutput(argv);
      checkSwitches(given, known);
      checkOptions(given, argv, known);
    }, true)
    .middleware((argv) => {
      checkOutputs(argv);
      return waitForReaders(outputFiles(argv));
    })
    .option('plugin', { type: 'string', describe: 'a module with more allocators, workloads, importers or metrics' })
    .version(VERSION)
    .help()
    .alias('h', 'help')
    .wrap(terminalWidth())
    .epilogue(EPILOGUE)
    .exitProcess(false)
    .fail((message, error) => {
      // biome-ignore lint/suspicious/noExplicitAny: yargs knows its options at run time and does not type them
      const known = Object.keys((parser as any).getOptions().key) as string[];
      // biome-ignore lint/suspicious/noExplicitAny: yargs knows its options at run time and does not type them
      const withValue = [...(parser as any).getOptions().string, ...(parser as any).getOptions().number] as string[];
      const needed = error
        ? undefined
        : (subcommandText(message, parser, given) ??
          listText(message, given) ??
          secondText(message, given) ??
          neededText(message, parser) ??
          missingOptionText(message, parser) ??
          programText(message, given, withValue));
      throw error ?? new UserError(needed ?? plainMessage(message) + optionSuggestion(message, known));
    });
  // yargs renders the help of every command that runs, in case that it fails later: 20 ms for what `fail` never shows.
  // biome-ignore lint/suspicious/noExplicitAny: yargs does not type what it keeps for itself
  (parser as any).getInternalMethods().getUsageInstance().cacheHelpMessage = () => {};
  for (const [command, about] of EXAMPLES) parser.example(command.replace('sim', '$0'), about);
  try {
    await parser.parseAsync();
  } catch (error) {
    if ((error as Error).name === 'YError') throw new UserError(plainMessage((error as Error).message));
    throw error;
  }
}

/** yargs' words on one line: what was found, what was expected. */
function plainMessage(message: string): string {
  const invalid = /Argument: (\S+), Given: "(.*?)", Choices: (.*)/.exec(message);
  if (invalid) {
    const [, name, found, choices] = invalid;
    const known = choices!.split(', ').map((choice) => choice.replace(/^"|"$/g, ''));
    const near = nearest(found!, known);
    return `${name}: found '${found}', expected one of ${known.join(', ')}${near ? `; did you mean '${near}'?` : ''}`;
  }
  const plain = onceEach(message).replace(/\s*\n\s*/g, '; ');
  // Ours begin with a name or an option; yargs' with a word that is large for being the first.
  return plain.replace(/^(?:Unknown|Missing|Not|Too|Invalid|Arguments?|Implications|Did) /, (first) =>
    first.toLowerCase(),
  );
}

/** yargs names an unknown option of two words twice: `what-iff, whatIff`. */
function onceEach(message: string): string {
  const [, list] = /^Unknown arguments: (.*)$/.exec(message) ?? [];
  if (list === undefined) return message;
  const names = list.split(', ');
  const camel = (name: string) => name.replace(/-(\w)/g, (_, next: string) => next.toUpperCase());
  const twins = new Set(names.filter((name) => name.includes('-')).map(camel));
  const once = names.filter((name) => !twins.has(name));
  return `Unknown argument${once.length > 1 ? 's' : ''}: ${once.join(', ')}`;
}

/** Behind yargs' `Unknown argument: cnvert` where a command of a command is expected. */
function subcommandText(message: string, parser: Argv, given: readonly string[]): string | undefined {
  const found = /^Unknown (?:argument|command)s?: ([^,]+)/.exec(message)?.[1];
  // biome-ignore lint/suspicious/noExplicitAny: yargs does not type what it knows of a command
  const methods = (parser as any).getInternalMethods();
  const { commands } = methods.getContext() as { commands: string[] };
  const names = (methods.getCommandInstance().getCommands() as string[]).filter((name) => name !== '$0');
  if (found === undefined || !given.includes(found) || commands.length !== 1 || names.length === 0) return undefined;
  return `unknown command '${commands[0]} ${found}'${suggestion(found, names)}`;
}

/** Where an unknown word stands behind the value of a list: it is meant as a part of that. */
function listText(message: string, given: readonly string[]): string | undefined {
  const at = given.indexOf(/^Unknown arguments?: ([^,]+)/.exec(message)?.[1] ?? '');
  const [option, value, found] = at < 2 ? [] : given.slice(at - 2, at + 1);
  if (option === undefined || !LIST_OPTIONS.includes(option)) return undefined;
  return `${option}: found '${found}' behind '${value}', expected commas between them: ${option} ${value},${found}`;
}

/** Behind yargs' `Not enough non-option arguments: got 0, need at least 1`: what the command needs, in its own words. */
function neededText(message: string, parser: Argv): string | undefined {
  const got = /^Not enough non-option arguments: got (\d+)/.exec(message)?.[1];
  if (got === undefined) return undefined;
  // biome-ignore lint/suspicious/noExplicitAny: yargs does not type what it knows of a command
  const methods = (parser as any).getInternalMethods();
  const { commands, fullCommands } = methods.getContext() as { commands: string[]; fullCommands: string[] };
  const names = [...(fullCommands.at(-1) ?? '').matchAll(/<([\w-]+)/g)].map(([, name]) => name!);
  const missing = names[Number(got)];
  if (missing === undefined) return `${commands.join(' ')}: found too few words; --help says what is needed`;
  const about = (methods.getUsageInstance().getDescriptions() as Record<string, string | undefined>)[missing];
  const article = /^[aeiou]/.test(missing) ? 'an' : 'a';
  return `${commands.join(' ')} needs ${article} ${missing.toUpperCase()}${about ? `: ${about.replace('__yargsString__:', '')}` : ''}`;
}

/** Behind yargs' `Missing required argument: allocators`: what the option is, and how it is given. */
function missingOptionText(message: string, parser: Argv): string | undefined {
  const option = /^Missing required arguments?: ([\w-]+)/.exec(message)?.[1];
  if (option === undefined) return undefined;
  // biome-ignore lint/suspicious/noExplicitAny: yargs does not type what it knows of a command
  const methods = (parser as any).getInternalMethods();
  const { commands } = methods.getContext() as { commands: string[] };
  const about = (methods.getUsageInstance().getDescriptions() as Record<string, string | undefined>)[option];
  const example = EXAMPLES.map(([command]) => command).find((command) =>
    command.startsWith(`sim ${commands.join(' ')} `),
  );
  return `${commands.join(' ')} needs --${option}: ${(about ?? '').replace('__yargsString__:', '')}${example ? `; for example: ${example}` : ''}`;
}

/** Behind yargs' `Unknown argument: alocator`: which option was meant. */
function optionSuggestion(message: string, known: readonly string[]): string {
  const unknown = /^Unknown arguments?: ([\w-]+)/.exec(message)?.[1];
  if (unknown === undefined || unknown.length < 2) return '';
  const near = nearest(unknown, known) ?? begunBy(unknown, known);
  return near === undefined ? '' : `, did you mean --${near}?`;
}

/** The one name that is longer: `--out` of `--output`. */
function begunBy(found: string, known: readonly string[]): string | undefined {
  const longer = known.filter((name) => found.length > 2 && name.startsWith(found) && !/[A-Z]/.test(name));
  return longer.length === 1 ? longer[0] : undefined;
}

/** Where a second workload stands behind the first: how two recordings are set side by side. */
function secondText(message: string, given: readonly string[]): string | undefined {
  const [command, first] = given;
  const found = /^Unknown arguments?: (.*\.(?:htb|htrace)(?:\.gz|\.zst)?)$/.exec(message)?.[1];
  if (found === undefined || !given.includes(found) || first === undefined) return undefined;
  const [old, now] = [first, found].map(shellWord);
  return `${command} takes one workload, found '${found}' too; what differs between two, by call site: sim explain ${old} --collapsed FILE, then sim explain ${now} --diff FILE`;
}
