import fc from 'fast-check';
import { type DescribedCommand, type DescribedOption, describeCommands } from '../../../bench/cli/describe.ts';
import { COMMANDS } from '../../../bench/commands/index.ts';
import { defineArea } from '../area.ts';
import { checkCommandLine, ELSEWHERE } from '../command-line.ts';

/** Every option is given each of these. */
const VALUES = [
  '',
  '0',
  '-1',
  '1e999',
  'NaN',
  '.',
  '/no/such/file',
  'x'.repeat(10_000),
  'a b',
  '__proto__',
  '\u001b[31m\n',
];

/** A word for each of a command's positional arguments with which it begins its work. */
const POSITIONALS: Readonly<Record<string, readonly string[]>> = {
  inspect: ['smaps', 't.htrace'],
  machine: ['machine.txt'],
  'trace convert': ['t.htrace', 'o.htb'],
  'trace cut': ['t.htrace', 'o.htrace'],
  completion: ['bash'],
  list: [],
  gate: ['--suite=suite.json'],
};

function forms(command: DescribedCommand, option: DescribedOption): string[][] {
  const long = `--${option.name}`;
  const values = VALUES.map((value) => [`${long}=${value}`]);
  const value = option.choices[0] ?? '1';
  const twice = option.isFlag ? [long, long] : [`${long}=${value}`, `${long}=${value}`];
  const words = [...command.name.split(' '), ...(POSITIONALS[command.name] ?? ['t.htrace'])];
  // Runs in this process alone: its memory is what is watched.
  if (option.name !== 'workers' && command.options.some(({ name }) => name === 'workers')) words.push('--workers=1');
  return [...values, [long], [`--no-${option.name}`], twice, [long, '-2'], [`${long}.a=1`]].map((given) => [
    ...words,
    ...given,
  ]);
}

/** Every option of every command that runs nothing of the machine's, in every form, in the order of the manual. */
export const OPTION_LINES: readonly (readonly string[])[] = (await describeCommands(COMMANDS))
  .filter(({ name }) => !ELSEWHERE.includes(name))
  .flatMap((command) => command.options.flatMap((option) => forms(command, option)));

/** Drawn out of OPTION_LINES; a long run has every one. */
export const optionLines = defineArea<readonly string[]>({
  name: 'option-lines',
  inputs: fc.constantFrom(...OPTION_LINES),
  every: OPTION_LINES,
  check: checkCommandLine,
  bytesOf: (args) => Buffer.from(JSON.stringify(args)),
});
