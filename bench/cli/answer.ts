import { type WholeFile, writeWholeFiles } from '../../workloads/files/line-sink.ts';
import { fitWidth } from '../report/text/fold.ts';
import type { Palette } from '../report/text/palette.ts';
import { terminalPalette } from './palette.ts';
import { note, show } from './show.ts';
import { terminalWidth } from './width.ts';

/** Whether `--json` or a table goes to standard output. */
export const isStandardOutput = (to: string | undefined): boolean => to === '' || to === '-';

/** What `--json` writes: the value says itself that it is partial. */
export const jsonFile = (to: string, value: unknown): WholeFile => [
  to || '-',
  JSON.stringify(value, null, isStandardOutput(to) ? 2 : 1),
  true,
];

/**
 * A command's answer: as text, and where `--json` was given as JSON to its file, or to standard output, where nothing
 * else goes then. `csv`: the same table for spreadsheets, where it was asked for; of a value that is partial it is marked by its name, or on
 * standard error.
 */
export async function answer<T extends { readonly partial?: boolean }>(
  json: string | undefined,
  value: T,
  text: (palette: Palette, width: number) => string,
  csv: { readonly to: string | undefined; readonly text: () => string } = { to: undefined, text: () => '' },
): Promise<void> {
  const isCsv = isStandardOutput(csv.to);
  const width = terminalWidth();
  const toStdout = isStandardOutput(json);
  const files: WholeFile[] = [];
  if (csv.to !== undefined) files.push([csv.to || '-', csv.text()]);
  if (json !== undefined) files.push(jsonFile(json, value));
  writeWholeFiles(files, value.partial);
  if (isCsv && value.partial) note('sim: interrupted: the table is partial');
  if (!toStdout && !isCsv) show(fitWidth(text(await terminalPalette(), width), width));
}
