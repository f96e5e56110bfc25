import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { UserError } from '../../sim/assert.ts';
import type { EventBuffer } from '../../sim/event.ts';
import { unpackerFor } from '../trace/compression.ts';
import { systemError } from '../trace/reader.ts';
import { type AddressTrace, createAddressTrace, type Oddities } from './address-trace.ts';
import { createCsvImport } from './csv.ts';
import { createHeaptrackImport } from './heaptrack.ts';
import { createLtraceImport } from './ltrace.ts';
import { importMtraceLine } from './mtrace.ts';

export const IMPORT_FORMATS = ['heaptrack', 'mtrace', 'ltrace', 'csv'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

const IMPORTERS: Readonly<Record<ImportFormat, (trace: AddressTrace) => (line: string, place: string) => void>> = {
  heaptrack: createHeaptrackImport,
  mtrace: (trace) => (line, place) => importMtraceLine(trace, line, place),
  ltrace: createLtraceImport,
  csv: createCsvImport,
};

/** Reads the log of another tool; `-` is the standard input, `.gz` and `.zst` are unpacked. Without a format, the first line tells. */
export async function importTrace(
  path: string,
  options: { readonly format?: ImportFormat; readonly quantumNs: number },
): Promise<{ readonly events: EventBuffer; readonly oddities: Oddities; readonly format: ImportFormat }> {
  const source = path === '-' ? '(standard input)' : path;
  const trace = createAddressTrace({ name: source, source: 'imported', quantumNs: options.quantumNs });
  let format = options.format;
  let importLine: ((line: string, place: string) => void) | undefined;
  let number = 0;
  try {
    for await (const line of createInterface({ input: inputOf(path), crlfDelay: Infinity })) {
      number++;
      format ??= guess(line);
      importLine ??= IMPORTERS[format](trace);
      importLine(line, `${source}:${number}`);
    }
  } catch (error) {
    if (error instanceof UserError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new UserError(
      `${source}: found ${systemError(error)}, expected a log of ${format ?? IMPORT_FORMATS.join(', ')}`,
    );
  }
  if (!format || trace.length === 0) {
    throw new UserError(
      `${source}: found no call of the malloc family, expected a log of ${format ?? IMPORT_FORMATS.join(', ')}`,
    );
  }
  trace.sample('end');
  return { ...trace.finish(), format };
}

function inputOf(path: string): Readable {
  if (path === '-') return process.stdin;
  const file = createReadStream(path);
  const unpack = unpackerFor(path);
  if (!unpack) return file;
  file.on('error', (error) => unpack.destroy(error));
  return file.pipe(unpack);
}

function guess(line: string): ImportFormat {
  if (/^v [0-9a-f]+( [0-9a-f]+)?$/.test(line)) return 'heaptrack';
  if (/^(= Start|@ |[-+<>!] 0x)/.test(line)) return 'mtrace';
  return /^\s*\w+(\s*,\s*\w+)+\s*$/.test(line) ? 'csv' : 'ltrace';
}
