import fc from 'fast-check';
import { type DescribedCommand, type DescribedOption, describeCommands } from '../../../bench/cli/describe.ts';
import { COMMANDS } from '../../../bench/commands/index.ts';
import { defineArea } from '../area.ts';
import { checkCommandLine, ELSEWHERE, FILES } from '../command-line.ts';

const DESCRIBED = (await describeCommands(COMMANDS)).filter(({ name }) => !ELSEWHERE.includes(name));

const INPUTS = [...Object.keys(FILES), 'rows:threads=1,rounds=3', 'stress:events=40', 'php-repeat:bytes=9', 'missing', 'rows:threads=', 'rows:é', '', '.', 'ROWS', 'shared-memory']; // biome-ignore format: a list
const OUTPUTS = ['out.x', 'o.htrace', 'o.htb.gz', 'o.csv', '-', '', '.', '/dev/null', '/dev/full', 'no/such/folder', `${'n'.repeat(300)}`, 'a\u001b[31mb', 'line\nbreak', 'nul\0', 't.htrace', 'ünï', ' ', '--json']; // biome-ignore format: a list
const NUMBERS = ['0', '1', '2', '3', '-1', '-0', '1.5', '1e999', '4294967296', '9007199254740993', '0x10', 'NaN', 'Infinity', '', ' ', '１', '1K', '16G', '99999999999999999999G']; // biome-ignore format: a list
const WORDS = ['glibc', 'jemalloc:narenas=1', 'zendmm+glibc', 'zendmm+zendmm', 'glibc@1', 'glibc:arena_max=-1', 'glibc,jemalloc', ',', 'a', '#1', '#99', 'end', 'arena_max=1,2', 'arena_max=', 'rssBytes', '1,2', '1,,2', '\u2028', '%s', '__proto__', 'constructor', "';--", '\ud83d\ude00', '<b>', 'x'.repeat(3000)]; // biome-ignore format: a list

/** Nobody listens there. */
const ENGINES = ['', 'x', 'http://a', 'redis://', 'redis://\u0000'];

const value = (option: DescribedOption): fc.Arbitrary<string> => {
  if (option.name === 'engine') return fc.constantFrom(...ENGINES);
  const choices = option.choices.length > 0 ? [...option.choices, ''] : NUMBERS;
  return fc.oneof(
    fc.constantFrom(...choices),
    fc.constantFrom(...OUTPUTS),
    fc.constantFrom(...INPUTS),
    fc.constantFrom(...WORDS),
  );
};

function written(option: DescribedOption): fc.Arbitrary<readonly string[]> {
  const long = `--${option.name}`;
  const forms = value(option).chain((text) =>
    fc.constantFrom<readonly string[]>([`${long}=${text}`], [long, text], [`-${option.alias ?? 'z'}`, text]),
  );
  return option.isFlag
    ? fc.oneof(fc.constantFrom<readonly string[]>([long], [`--no-${option.name}`]), forms)
    : fc.oneof({ weight: 6, arbitrary: forms }, { weight: 1, arbitrary: fc.constant([long]) });
}

const STRANGE = fc.constantFrom<readonly string[]>(['--nothing'], ['-'], ['--'], ['-x'], ['--help'], ['--version'], ['--=1'], ['--__proto__=1'], ['---']); // biome-ignore format: a list

function lineOf(command: DescribedCommand): fc.Arbitrary<readonly string[]> {
  const drawn = command.options.filter(({ name }) => name !== 'workers');
  return fc
    .record({
      positionals: fc.array(
        fc.oneof(
          { weight: 5, arbitrary: fc.constantFrom('t.htrace', 'rows:threads=1,rounds=3') },
          {
            weight: 3,
            arbitrary: fc.constantFrom(...INPUTS, ...(command.choices.length > 0 ? command.choices : ['pmap'])),
          },
          { weight: 1, arbitrary: fc.constantFrom(...OUTPUTS.filter((name) => name !== '-' && name !== '/dev/full')) },
        ),
        { maxLength: 3 },
      ),
      options: fc.array(
        fc.oneof(
          {
            weight: 9,
            arbitrary: drawn.length > 0 ? fc.constantFrom(...drawn).chain(written) : STRANGE,
          },
          { weight: 1, arbitrary: STRANGE },
        ),
        { maxLength: 5 },
      ),
      optionsFirst: fc.boolean(),
    })
    .map(({ positionals, options, optionsFirst }) => {
      const words = command.name.split(' ');
      // Runs in this process alone: its memory is what is watched.
      if (command.options.some(({ name }) => name === 'workers')) words.push('--workers=1');
      return optionsFirst
        ? [...words, ...options.flat(), ...positionals]
        : [...words, ...positionals, ...options.flat()];
    });
}

/** What would be read from the terminal is not there. */
const readsInput = (args: readonly string[]): boolean => args.includes('-') || args.includes('');

async function checkLine(args: readonly string[]): Promise<void> {
  if (!readsInput(args)) await checkCommandLine(args);
}

/** Command lines of all commands with options of all kinds, in this process. */
export const options = defineArea<readonly string[]>({
  name: 'options',
  inputs: fc.constantFrom(...DESCRIBED).chain(lineOf),
  check: checkLine,
  bytesOf: (args) => Buffer.from(JSON.stringify(args)),
});
