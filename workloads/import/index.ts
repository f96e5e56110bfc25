import { createReadStream } from 'node:fs';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createRegistry } from '../../sim/contract/registry.ts';
import { DamagedDataError, unpacked } from '../trace/unpacked.ts';
import { createAddressTrace, type Oddities } from './address-trace.ts';
import { csv } from './csv.ts';
import { heaptrack } from './heaptrack.ts';
import type { Importer } from './importer.ts';
import { linesOf } from './lines.ts';
import { ltrace } from './ltrace.ts';
import { mtrace } from './mtrace.ts';

/** So that a signal is heard, however many lines come at once. */
const LINES_BETWEEN_BREATHS = 1024;

/** Every importer, in the order in which they are asked whether a log is theirs. To add one: write its file, name it here. */
const importersByName = createRegistry<Importer>('importer', [heaptrack, mtrace, csv, ltrace]);
export const IMPORTERS = importersByName.all;
export const registerImporter = importersByName.add;

export interface ImportOptions {
  /** Name of an importer; without it the first line tells. */
  readonly format?: string;
  readonly quantumNs: number;
  readonly importers?: readonly Importer[];
}

/** Reads the log of another tool; `-` is the standard input; what is packed (gzip, zstd) is unpacked. Without a format, the first line tells. */
export async function importTrace(
  path: string,
  options: ImportOptions,
): Promise<{ readonly events: EventBuffer; readonly oddities: Oddities; readonly format: string }> {
  const { importers = IMPORTERS } = options;
  const names = importers.map((importer) => importer.name);
  const source = path === '-' ? '(standard input)' : path;
  let importer = importers.find(({ name }) => name === options.format);
  if (options.format !== undefined && !importer) {
    throw new UserError(`found import format '${options.format}', expected one of ${names.join(', ')}`);
  }
  let importLine: ((line: string, place: string) => void) | undefined;
  let number = 0;
  const place = () => `${source}:${number}`;
  const trace = createAddressTrace({ name: source, source: 'imported', quantumNs: options.quantumNs, place });
  const expected = () => `a log of ${importer?.name ?? names.join(', ')}`;
  const stream = path === '-' ? process.stdin : createReadStream(path);
  try {
    for await (const line of linesOf(unpacked(stream, source, expected()), source)) {
      number++;
      importer ??= importers.find(({ begins }) => begins(line));
      if (!importer) break;
      importLine ??= importer.create(trace);
      importLine(line, place());
      if (number % LINES_BETWEEN_BREATHS === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    if (!(error instanceof DamagedDataError)) throw error;
    throw new UserError(`${source}: found ${error.message}, expected ${expected()}`);
  }
  if (!importer || trace.length === 0) {
    throw new UserError(`${source}: found no call of the malloc family, expected ${expected()}`);
  }
  trace.sample('end');
  return { ...trace.finish(), format: importer.name };
}
