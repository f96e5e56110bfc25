import { writeWhole } from '../../workloads/files/line-sink.ts';
import type { Palette } from '../report/text/summary.ts';
import { terminalPalette } from './palette.ts';
import { show } from './show.ts';

/**
 * A command's answer: as text, and where `--json` was given as JSON to its file, or to standard output, where nothing
 * else goes then.
 */
export async function answer(
  json: string | undefined,
  value: unknown,
  text: (palette: Palette) => string,
): Promise<void> {
  const toStdout = json === '' || json === '-';
  if (json !== undefined) writeWhole(json || '-', JSON.stringify(value, null, toStdout ? 2 : 1));
  if (!toStdout) show(text(await terminalPalette()));
}
