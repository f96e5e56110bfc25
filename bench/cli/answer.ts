import { jsonPieces } from '../../sim/contract/json-pieces.ts';
import { type WholeFile, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { fitWidth } from '../report/text/fold.ts';
import type { Palette } from '../report/text/palette.ts';
import type { AnswerArguments } from './answer-options.ts';
import { terminalPalette } from './palette.ts';
import { note, show } from './show.ts';
import { terminalWidth } from './width.ts';

/** Whether what `--json` or `--csv` gives goes to standard output. */
export const isStandardOutput = (to: string | undefined): boolean => to === '' || to === '-';

/** What `--json` writes: the value says itself that it is partial. */
export const jsonFile = (to: string, value: unknown): WholeFile => [
  to || '-',
  jsonPieces(value, isStandardOutput(to) ? 2 : 1),
  true,
];

const isPartial = (value: object): boolean => 'partial' in value && value.partial === true;

/**
 * Writes what `--json` and `--csv` ask for, the same content in both. Of a value that is partial the table is marked by its name, or on
 * standard error. Returns whether one took the standard output, where nothing else goes then.
 */
export function writeData({ json, csv }: AnswerArguments, value: object, table: () => string): boolean {
  const partial = isPartial(value);
  const files: WholeFile[] = [];
  if (csv !== undefined) files.push([csv || '-', table()]);
  if (json !== undefined) files.push(jsonFile(json, value));
  writeWholeFiles(files, partial);
  if (isStandardOutput(csv) && partial) note('sim: interrupted: the table is partial');
  return isStandardOutput(csv) || isStandardOutput(json);
}

/** A command's answer: as data where that was asked for, and as text where the data does not take its place. */
export async function answer(
  asked: AnswerArguments,
  value: object,
  text: (palette: Palette, width: number) => string,
  table: () => string,
): Promise<void> {
  if (writeData(asked, value, table)) return;
  const width = terminalWidth();
  show(fitWidth(text(await terminalPalette(), width), width));
}
