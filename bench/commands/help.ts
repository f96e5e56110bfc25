import { columns } from '../../sim/contract/format.ts';
import { terminalWidth } from '../cli/width.ts';
import { fitWidth } from '../report/text/fold.ts';
import { COMMANDS } from './index.ts';

export const ABOUT =
  'Replays allocation traces on exact models of real allocators, and says where the memory is and why it stays.';
export const EPILOGUE = 'Exit codes: 0 done; 1 a check that was asked for failed; 2 wrong use or unreadable input.';
export const EXAMPLES: readonly (readonly [command: string, about: string])[] = [
  ['sim run lanczos-32t --allocator=glibc', 'the built-in workload under glibc'],
  ['sim run trace.htrace.gz --allocator=jemalloc --json', 'a recorded trace, the whole result as JSON'],
  ['sim compare trace.htrace.gz --allocators glibc,jemalloc', 'the same trace under both, side by side'],
];

/** `sim --help`, made without the argument parser, whose loading takes longer than all the rest. */
export function helpText(): string {
  return fitWidth(
    `${[
      'sim COMMAND …',
      '',
      ABOUT,
      '',
      'Commands (`sim COMMAND --help` has the options of each)',
      ...columns(
        COMMANDS.map(({ command, describe }) => [`sim ${command}`, describe]),
        'l',
      ),
      '',
      'Options',
      ...columns(
        [
          ['--version', 'show the version'],
          ['-h, --help', 'show help'],
        ],
        'l',
      ),
      '',
      'Examples',
      ...columns(EXAMPLES, 'l'),
      '',
      EPILOGUE,
    ].join('\n')}\n`,
    terminalWidth(),
  );
}
