import yargs, { type Argv, type CommandModule } from 'yargs';

// biome-ignore lint/suspicious/noExplicitAny: every command has options of its own type
type Command = CommandModule<any, any>;

/** A command whose module is loaded when it is needed. */
export interface LoadableCommand {
  readonly command: string;
  readonly describe: string;
  readonly load: () => Promise<Command>;
}

/** One option of a command. */
export interface DescribedOption {
  /** Without dashes. */
  readonly name: string;
  readonly alias: string | undefined;
  readonly about: string;
  readonly isFlag: boolean;
  readonly choices: readonly string[];
  readonly defaultText: string | undefined;
}

/** A command as the parser knows it: for completion and the manual. */
export interface DescribedCommand {
  /** `run`, `trace record`. */
  readonly name: string;
  /** `run <workload>`. */
  readonly usage: string;
  readonly about: string;
  readonly options: readonly DescribedOption[];
  /** Choices of the first positional argument. */
  readonly choices: readonly string[];
}

/** What yargs keeps of a parser; it does not type it. */
interface Kept {
  readonly key: Readonly<Record<string, boolean>>;
  readonly alias: Readonly<Record<string, readonly string[]>>;
  readonly boolean: readonly string[];
  readonly choices: Readonly<Record<string, readonly string[]>>;
  readonly default: Readonly<Record<string, unknown>>;
  readonly defaultDescription: Readonly<Record<string, string | undefined>>;
  readonly hiddenOptions: readonly string[];
}

/** All commands with their options, those of `trace` too. */
export async function describeCommands(commands: readonly LoadableCommand[]): Promise<DescribedCommand[]> {
  const described: DescribedCommand[] = [];
  for (const { command, describe, load } of commands)
    described.push(...describeCommand(command, describe, await load()));
  return described;
}

function describeCommand(usage: string, about: string, command: Command, above = ''): DescribedCommand[] {
  const parser = yargs([]);
  const inner: DescribedCommand[] = [];
  const name = `${above}${usage.split(' ', 1)[0]}`;
  // Commands below this one are noted instead of being added.
  const noting = new Proxy(parser, {
    get(target, property, receiver) {
      if (property === 'command') {
        return (given: Command | readonly Command[]) => {
          for (const below of [given].flat() as Command[]) {
            inner.push(...describeCommand(String(below.command), String(below.describe), below, `${name} `));
          }
          return receiver;
        };
      }
      const value = Reflect.get(target, property) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = value.apply(target, args);
        return result === target ? receiver : result;
      };
    },
  });
  const { builder } = command;
  if (typeof builder === 'function') builder(noting as Argv);
  else parser.options(builder ?? {});
  // biome-ignore lint/suspicious/noExplicitAny: see Kept
  const own = parser as any;
  const kept = own.getOptions() as Kept;
  const abouts = own.getInternalMethods().getUsageInstance().getDescriptions() as Record<string, string>;
  const positionals = [...usage.matchAll(/[<[]([\w-]+)/g)].map((m) => m[1]!);
  const aliases = new Set(Object.values(kept.alias).flat());
  const names = Object.keys(kept.key).filter(
    (option) => !positionals.includes(option) && !aliases.has(option) && !kept.hiddenOptions.includes(option),
  );
  const options = names
    .filter((option) => option !== 'help' && option !== 'version')
    .map(
      (option): DescribedOption => ({
        name: option,
        alias: kept.alias[option]?.[0],
        about: (abouts[option] ?? '').replace(/^__yargsString__:/, ''),
        isFlag: kept.boolean.includes(option),
        choices: (kept.choices[option] ?? []).map(String),
        defaultText: kept.defaultDescription[option] ?? defaultText(kept.default[option]),
      }),
    );
  const choices = (kept.choices[positionals[0] ?? ''] ?? []).map(String);
  return [{ name, usage: `${above}${usage}`, about, options, choices }, ...inner];
}

function defaultText(value: unknown): string | undefined {
  if (value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0)) {
    return undefined;
  }
  return String(value);
}
