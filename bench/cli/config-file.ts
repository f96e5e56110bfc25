import { existsSync } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import { readJson } from '../../workloads/files/json-file.ts';
import type { DescribedCommand } from './describe.ts';

/** In the working folder. */
export const CONFIG_FILE = 'allocsim.json';
/** The section for every command that has the option. */
const EVERY = '*';

type Value = string | number | boolean;
type Sections = Readonly<Record<string, Readonly<Record<string, Value | readonly Value[]>>>>;

/** `given` with the options of the file that are not given; `describe` is asked only where there is a file. */
export async function withConfig(
  given: readonly string[],
  describe: () => Promise<readonly DescribedCommand[]>,
  file = CONFIG_FILE,
): Promise<readonly string[]> {
  if (!existsSync(file) || asksForHelp(given)) return given;
  const sections = readSections(file);
  const commands = await describe();
  for (const name of Object.keys(sections)) {
    if (name !== EVERY && !commands.some((c) => c.name === name)) {
      throw new UserError(`${file}: found '${name}', expected a command or '${EVERY}'`);
    }
  }
  const words = given.filter((arg) => !arg.startsWith('-'));
  const command = commands.findLast((c) => c.name.split(' ').every((word, i) => words[i] === word));
  if (!command) return given;
  const added: string[] = [];
  const own = sections[command.name] ?? {};
  for (const [name, value] of Object.entries({ ...sections[EVERY], ...own })) {
    const option = command.options.find((o) => o.name === name);
    if (!option && name in own) throw new UserError(`${file}: ${command.name} has no option '${name}'`);
    if (!option || isGiven(given, name, option.alias)) continue;
    for (const one of [value].flat())
      added.push(one === true ? `--${name}` : one === false ? `--no-${name}` : `--${name}=${one}`);
  }
  // Before what stands behind `--`, which is a program's.
  const end = given.indexOf('--');
  return end < 0 ? [...given, ...added] : [...given.slice(0, end), ...added, ...given.slice(end)];
}

/** What tells of the options needs none of the file, which may be broken. */
function asksForHelp(given: readonly string[]): boolean {
  const end = given.indexOf('--');
  return given.slice(0, end < 0 ? undefined : end).some((arg) => ['--help', '-h', '--version'].includes(arg));
}

function isGiven(given: readonly string[], name: string, alias: string | undefined): boolean {
  const end = given.indexOf('--');
  return given.slice(0, end < 0 ? undefined : end).some((arg) => {
    const word = arg.replace(/=.*/s, '');
    return word === `--${name}` || word === `--no-${name}` || (alias !== undefined && word === `-${alias}`);
  });
}

function readSections(file: string): Sections {
  const isValue = (value: unknown): boolean =>
    ['string', 'number', 'boolean'].includes(typeof value) || (Array.isArray(value) && value.every(isValue));
  const parsed = readJson(file, 'options of commands');
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isRecord(parsed) || !Object.values(parsed).every((s) => isRecord(s) && Object.values(s).every(isValue))) {
    throw new UserError(`${file}: found something else, expected {"COMMAND": {"option": value}}`);
  }
  return parsed as Sections;
}
