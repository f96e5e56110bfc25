import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UserError } from '../../sim/assert.ts';
import type { EventBuffer } from '../../sim/event.ts';
import { systemError } from '../trace/reader.ts';
import { createAddressTrace, type Oddities } from './address-trace.ts';
import { createCsvImport } from './csv.ts';
import { createLtraceImport } from './ltrace.ts';
import { importMtraceLine } from './mtrace.ts';

export const IMPORT_FORMATS = ['mtrace', 'ltrace', 'csv'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

/** Reads the log of another tool; `-` is the standard input, `.gz` is unpacked. Without a format, the first line tells. */
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
      importLine ??=
        format === 'csv'
          ? createCsvImport(trace)
          : format === 'ltrace'
            ? createLtraceImport(trace)
            : (text, place) => importMtraceLine(trace, text, place);
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
  if (!path.endsWith('.gz')) return file;
  const text = createGunzip();
  file.on('error', (error) => text.destroy(error));
  return file.pipe(text);
}

function guess(line: string): ImportFormat {
  if (/^(= Start|@ |[-+<>!] 0x)/.test(line)) return 'mtrace';
  return /^\s*\w+(\s*,\s*\w+)+\s*$/.test(line) ? 'csv' : 'ltrace';
}
