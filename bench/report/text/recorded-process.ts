import { bytes, columns, count, counted, percent } from '../../../sim/contract/format.ts';
import type { RecordedProcess, RecordedProcessSample } from '../../run/recorded-process.ts';
import { escapeLine } from '../escape.ts';
import { columnBlocks } from './fold.ts';
import type { Palette } from './palette.ts';
import { spread } from './spread.ts';

const SHOWN = 12;
const CLASSES = ['heap', 'anonymous', 'stack', 'data', 'files', 'recorder'] as const;

const signed = (value: number): string => `${value < 0 ? '−' : '+'}${bytes(Math.abs(value))}`;
const share = ({ difference, vmRss }: RecordedProcessSample): string =>
  vmRss === 0 ? '' : `${difference < 0 ? '−' : '+'}${percent(Math.abs(difference) / vmRss)}`;

/** The process as it was recorded, and PHP's numbers, beside what is simulated: a row a sample. */
export function recordedProcessLines({ samples, phpHeap }: RecordedProcess, palette: Palette, width: number): string[] {
  const lines: string[] = [];
  if (samples.length > 0) {
    const shown = spread(samples, SHOWN);
    lines.push(
      '',
      palette.bold('The recorded process'),
      ...columnBlocks(
        [
          ['', 'heap, simulated', ...CLASSES.slice(1), 'VmRSS', 'difference', ''].map(palette.dim),
          ...shown.map((s) => [
            escapeLine(s.label),
            ...CLASSES.map((name) => bytes(s[name])),
            bytes(s.vmRss),
            signed(s.difference),
            share(s),
          ]),
        ],
        width,
      ),
      palette.dim(`  ${differenceText(samples.at(-1)!)}`),
    );
    if (shown.length < samples.length)
      lines.push(palette.dim(`  ${shown.length} of ${counted(samples.length, 'sample')}`));
  }
  if (phpHeap.length > 0) {
    const wrong = phpHeap.filter(
      ({ recorded, simulated }) => recorded.usage !== simulated.usage || recorded.realUsage !== simulated.realUsage,
    );
    const shown = spread(wrong.length > 0 ? wrong : phpHeap, SHOWN);
    lines.push(
      '',
      palette.bold("PHP's heap: memory_get_usage() and memory_get_usage(true), in bytes"),
      ...columnBlocks(
        [
          ['', 'PHP said', '', 'simulated', ''].map(palette.dim),
          ...shown.map(({ label, recorded, simulated }) => [
            escapeLine(label),
            ...[recorded.usage, recorded.realUsage, simulated.usage, simulated.realUsage].map(count),
          ]),
        ],
        width,
      ),
      palette.dim(
        `  ${count(phpHeap.length - wrong.length)} of ${count(phpHeap.length)} are the same${wrong.length > 0 ? '; these are not' : ''}`,
      ),
    );
  }
  return lines;
}

/** Names what the difference of one sample is made of. */
export function differenceText({ label, inBlocks, difference }: RecordedProcessSample): string {
  const rest = difference - inBlocks;
  return (
    `of the difference at '${escapeLine(label)}', ${signed(inBlocks)} lie in mappings of the program's blocks (with what else lies there), ` +
    `${signed(rest)} changed while the kernel was asked`
  );
}

/** One sample, a line a class. */
export function processColumn(s: RecordedProcessSample, palette: Palette): string[] {
  const about: Readonly<Record<(typeof CLASSES)[number], string>> = {
    heap: 'simulated',
    anonymous: "stacks of threads, the program's own mappings",
    stack: 'of the main thread',
    data: 'pages of files that the process has written',
    files: 'programs, libraries, shared memory',
    recorder: 'there for the recording alone',
  };
  return [
    ...columns(
      [
        ...CLASSES.map((name) => [name, bytes(s[name]), palette.dim(about[name])]),
        ['difference', signed(s.difference), share(s)],
        ['VmRSS', bytes(s.vmRss), palette.dim('as recorded')],
      ],
      'lrl',
    ),
    palette.dim(`  ${differenceText(s)}`),
  ];
}
