import { UserError } from '../../sim/contract/assert.ts';
import { checkWritable, checkWritableFolder } from '../../workloads/files/output-file.ts';
import { fileIdentity, outputTarget } from '../../workloads/files/output-target.ts';

/** What yargs knows of the options of the command that was given. */
export interface KnownOptions {
  readonly array: readonly string[];
  readonly boolean: readonly string[];
  readonly default: Readonly<Record<string, unknown>>;
  readonly number: readonly string[];
  readonly alias: Readonly<Record<string, readonly string[]>>;
}

type Arguments = Readonly<Record<string, unknown>>;

/** Outputs that know no `-`: a folder, and a trace, whose name tells its form. */
const NAMED_ALONE = ['svg', 'out'];

/** `/dev/stdout` is `-`: nothing else goes there then. */
export function nameStandardOutput(argv: Record<string, unknown>): void {
  for (const name of OUTPUTS) {
    const value = argv[name];
    if (NAMED_ALONE.includes(name) || typeof value !== 'string' || !value.includes('/')) continue;
    if (leadsToStandardOutput(value)) argv[name] = '-';
  }
}

function leadsToStandardOutput(path: string): boolean {
  try {
    return outputTarget(path).descriptor === 1;
  } catch {
    return false; // what is wrong with it, the writer says
  }
}

function checkStandardOutput(argv: Arguments): void {
  const there = OUTPUTS.filter((name) => {
    const value = argv[name];
    return value === '-' || (value === '' && NAME_OPTIONAL.includes(name));
  });
  if (there.length > 1) throw new UserError(`--${there.join(' and --')} cannot all go to standard output`);
}

/** `--no-json` takes back what a configuration gives: options that have values are as if they were not given. */
export function takeBack(argv: Record<string, unknown>, known: KnownOptions): void {
  for (const [name, value] of Object.entries(argv)) {
    const isNo = value === false || (Array.isArray(value) && value.includes(false));
    if (isNo && !known.boolean.includes(name)) argv[name] = known.default[name];
  }
}

/** Options whose value is a file that is written, and that go to standard output without one in some command. */
const NAME_OPTIONAL = ['json', 'csv', 'samples', 'placements', 'syscalls', 'openmetrics', 'perfetto', 'trace-time'];
/** Those that need a name. */
const NAME_NEEDED = [
  'report',
  'svg',
  'junit',
  'markdown',
  'benchmark-action',
  'bencher',
  'save',
  'output',
  'flame',
  'pprof',
  'speedscope',
  'collapsed',
];
/** All of them; `out` is a word of its own in some commands. */
export const OUTPUTS: readonly string[] = [...NAME_OPTIONAL, ...NAME_NEEDED, 'out'];
const NAMES_NEEDED = [...NAME_NEEDED, 'config', 'suite', 'costs', 'at'];
/** Files that are read. `in` is none of them: a trace may be written over itself. */
const INPUTS = ['workload', 'script', 'base', 'head', 'suite', 'config', 'costs', 'diff'];

/** Throws a UserError for what is wrong with the options themselves, whatever the command. */
export function checkOptions(given: readonly string[], argv: Arguments, known: KnownOptions): void {
  checkOnce(argv, known);
  for (const name of known.number) {
    if (Number.isNaN(argv[name]) || isAlone(given, name)) {
      throw new UserError(`--${name}: found ${typedValue(given, name)}, expected a number`);
    }
  }
  checkSeeds(argv);
  for (const name of NAMES_NEEDED) {
    if (argv[name] === '') throw new UserError(`--${name}: found no name, expected --${name} NAME`);
  }
  checkFiles(argv);
  checkStandardOutput(argv);
}

/** Nothing but another option or the end is behind it: yargs takes it for not given. */
function isAlone(given: readonly string[], name: string): boolean {
  const at = given.indexOf(`--${name}`);
  const end = given.indexOf('--');
  if (at < 0 || (end >= 0 && at > end)) return false;
  return given[at + 1] === undefined || given[at + 1]!.startsWith('--');
}

/** What was typed behind an option that wants a number. */
function typedValue(given: readonly string[], name: string): string {
  if (isAlone(given, name)) return 'no number';
  const at = given.findIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  const value = given[at]?.includes('=') ? given[at].slice(name.length + 3) : given[at + 1];
  return at < 0 || value === undefined || value === '' ? 'no number' : `'${value}'`;
}

/** Switches have no value but true and false: yargs takes any other for false. `given` is as it was typed. */
export function checkSwitches(given: readonly string[], known: KnownOptions): void {
  const end = given.indexOf('--');
  for (const word of end < 0 ? given : given.slice(0, end)) {
    const [, name, value] = /^--(?:no-)?([^=]+)=(.*)$/s.exec(word) ?? [];
    if (name === undefined || !known.boolean.includes(name) || value === 'true' || value === 'false') continue;
    throw new UserError(`--${name}: found '${value}', expected --${name} alone`);
  }
}

function checkSeeds({ seed, seeds = 1 }: Arguments): void {
  if (seed === undefined) return;
  if (!Number.isSafeInteger(seed)) throw new UserError(`--seed: found '${seed}', expected an integer`);
  if (Number.isSafeInteger((seed as number) + (seeds as number))) return;
  throw new UserError(`--seeds: found '${seeds}' from ${seed} on, expected integers below 2^53`);
}

/** An option that is no list is given once. */
function checkOnce(argv: Arguments, known: KnownOptions): void {
  for (const [name, value] of Object.entries(argv)) {
    if (name === '_' || name === '--' || !Array.isArray(value)) continue;
    const groups = Object.entries(known.alias).map(([one, others]) => [one, ...others]);
    const names = groups.find((group) => group.includes(name)) ?? [name];
    if (names.some((n) => known.array.includes(n))) continue;
    const longest = names.reduce((x, y) => (y.length > x.length ? y : x));
    throw new UserError(`--${longest}: found ${value.length} of it, expected one`);
  }
}

/** Throws a UserError for an output that could not be written when the work for it is done. */
export function checkOutputs(argv: Arguments): void {
  for (const path of outputFiles(argv)) {
    if (path === argv['svg'] && !path.endsWith('.svg')) checkWritableFolder(path);
    else checkWritable(path);
  }
}

/** The files that the options name. */
export function outputFiles(argv: Arguments): string[] {
  return OUTPUTS.map((name) => argv[name]).filter(
    (value): value is string => typeof value === 'string' && value !== '' && value !== '-',
  );
}

function checkFiles(argv: Arguments): void {
  const fileOf = (name: string): string | undefined => {
    const value = argv[name];
    return typeof value === 'string' && value !== '' && value !== '-' ? fileIdentity(value) : undefined;
  };
  const taken = new Map<string, string>();
  for (const name of INPUTS) {
    const file = fileOf(name);
    if (file !== undefined) taken.set(file, name);
  }
  for (const name of OUTPUTS) {
    const file = fileOf(name);
    if (file === undefined) continue;
    const other = taken.get(file);
    if (other !== undefined && !(name === 'out' && INPUTS.includes(other))) {
      throw new UserError(`--${name}: found ${argv[name]}, which is the file of ${other} too, expected another one`);
    }
    taken.set(file, name);
  }
}
