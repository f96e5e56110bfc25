import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { encodeHtb } from '../../workloads/trace/binary-writer.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { requireTool } from '../helpers/require.ts';
import { temporaryFolder } from '../helpers/temporary.ts';
import { viewOf } from './naive-trace.ts';
import { traceLines } from './trace-program.ts';

function parse(text: string, lenient = false): EventBuffer {
  const parser = createTraceParser({ source: 'T', ...(lenient && { onViolation: () => {} }) });
  parser.push(new TextEncoder().encode(text));
  return parser.finish();
}

const textOf = (events: EventBuffer) => Buffer.concat([...formatTrace(events)]).toString();
const bytesOf = (events: EventBuffer) => Buffer.concat([...encodeHtb(events)]);

function decode(bytes: Uint8Array, chunk = bytes.length): EventBuffer {
  const input = createHtbInput('B');
  for (let at = 0; at < bytes.length; at += chunk) input.push(bytes.subarray(at, at + chunk));
  return input.finish();
}

/** Everything but the columns, and the columns as far as they are used. */
function contents({ head, slot, a, b, ...rest }: EventBuffer) {
  return { ...rest, ...viewOf({ head, slot, a, b, ...rest }) };
}

const anyTrace = fc
  .record({ lines: traceLines, touch: fc.constantFrom('', '%touch first\n', '%touch none\n'), name: fc.boolean() })
  .map(({ lines, touch, name }) => `%htrace 1\n${touch}${name ? '%name ä b\n%source c\n' : ''}${lines.join('\n')}\n`);

const sample = '%htrace 1\nm 0 1 5\nec 7 2 3 4\n= here\nf 0 1\n+ 12345678901\nopt 0 M_TOP_PAD -1\nee 7\nte 7\n';

describe('the text form', () => {
  it('comes back the same when it is written and read again', () => {
    fc.assert(
      fc.property(anyTrace, (text) => {
        const events = parse(text);
        const written = textOf(events);
        expect(contents(parse(written))).toEqual(contents(events));
        expect(textOf(parse(written))).toBe(written);
      }),
      { numRuns: 150 },
    );
  });

  it('names objects by slots and keeps thread numbers', () => {
    expect(
      textOf(parse('%htrace 1\nm 0 900 5\nm 70001 8 6\nf 0 900\nm 0 44 7\nopt 0 M_MMAP_MAX -3\ntrim 70001 0\n')),
    ).toBe('%htrace 1\nm 0 1 5\nm 70001 2 6\nf 0 1\nm 0 1 7\nopt 0 M_MMAP_MAX -3\ntrim 70001 0\n');
  });

  it('keeps event numbers where events were left out', () => {
    const text = textOf(parse('%htrace 1\nm 0 1 5\nf 3 9\nf 0 1\n', true));
    expect(text).toBe('%htrace 1\nm 0 1 5\ntb 3\nf 0 1\n');
  });
});

describe('the binary form', () => {
  it('comes back the same, however its bytes are cut', () => {
    fc.assert(
      fc.property(anyTrace, fc.integer({ min: 1, max: 200 }), (text, chunk) => {
        const events = parse(text);
        expect(contents(decode(bytesOf(events), chunk))).toEqual(contents(events));
      }),
      { numRuns: 150 },
    );
  });

  it('stores narrow columns and those that are mostly zero in few bytes', () => {
    const lines = Array.from({ length: 20000 }, (_, i) => `m 0 ${i} ${i % 200}`);
    const events = parse(`%htrace 1\n${lines.join('\n')}\nc 0 99999 7 70000\n`);
    const bytes = bytesOf(events);
    expect(bytes.length).toBeLessThan(20000 * 8 + 2000); // rows and values of thin columns; four bytes for nothing
    expect(contents(decode(bytes, 65536))).toEqual(contents(events));
  });

  it('is refused when it is cut off, at any length', () => {
    const bytes = bytesOf(parse(sample));
    for (let length = 8; length < bytes.length; length++) {
      expect(() => decode(bytes.subarray(0, length)), `${length} bytes`).toThrow(UserError);
    }
    expect(() => decode(Buffer.concat([bytes, Buffer.from('x')]))).toThrow('B: found bytes behind the last');
  });

  it('is refused when any bit is wrong', () => {
    const bytes = bytesOf(parse(sample));
    for (let at = 8; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << (at % 8);
      expect(() => decode(damaged), `byte ${at}`).toThrow(UserError);
    }
  });

  it('is refused when its indices lead nowhere, though its checksums are right', () => {
    const events = parse(sample);
    const broken = (change: Partial<EventBuffer>) => () => decode(bytesOf({ ...events, ...change }));
    expect(broken({ objectSlots: 1 })).toThrow('B: found event 0: an object that is not free');
    expect(broken({ slot: Int32Array.from(events.slot, (s) => s * 9) })).toThrow(
      'B: found event 0: an object that is not free',
    );
    expect(broken({ threadSlots: 1, begins: [] })).toThrow('B: found event 1: an unknown thread');
    expect(broken({ labels: [] })).toThrow('B: found event 2: an unknown label');
    expect(broken({ head: Int32Array.from(events.head, (word) => word | 19) })).toThrow(UserError);
  });

  it('names the version that it is', () => {
    const bytes = bytesOf(parse(sample));
    bytes.writeUInt32LE(9, 8);
    expect(() => decode(bytes)).toThrow('B: found version 9 of the binary form, expected version 1');
  });
});

describe('files', () => {
  it('have the form that their name asks for, and are recognised whatever their name is', async () => {
    const folder = temporaryFolder();
    const events = parse(sample);
    for (const name of ['a.htrace', 'a.htrace.gz', 'a.htb', 'a.htb.gz']) {
      await writeTrace(`${folder}/${name}`, events);
      expect(contents(await readTrace(`${folder}/${name}`)), name).toEqual(contents(events));
    }
    expect(readFileSync(`${folder}/a.htrace`, 'latin1')).toMatch(/^%htrace 1\n/);
    expect(gunzipSync(readFileSync(`${folder}/a.htrace.gz`)).toString()).toBe(
      readFileSync(`${folder}/a.htrace`, 'latin1'),
    );
    expect(readFileSync(`${folder}/a.htb`).subarray(1, 4).toString()).toBe('htb');
    writeFileSync(`${folder}/odd.name`, gzipSync(readFileSync(`${folder}/a.htb`)));
    expect(contents(await readTrace(`${folder}/odd.name`))).toEqual(contents(events));
  });

  it('appear whole or not at all', async () => {
    const folder = temporaryFolder();
    await expect(writeTrace(`${folder}/none/a.htrace`, parse(sample))).rejects.toThrow(UserError);
    const broken = { ...parse(sample), labels: [] as string[], begins: null } as unknown as EventBuffer;
    await expect(writeTrace(`${folder}/b.htrace`, broken)).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
    expect(existsSync(`${folder}/b.htrace`)).toBe(false);
  });

  it('mean the same packed by zstd, and say where they are cut off', async (context) => {
    requireTool(context, 'zstd');
    const folder = temporaryFolder();
    const events = parse(sample);
    await writeTrace(`${folder}/a.htrace`, events);
    execFileSync('zstd', ['-q', `${folder}/a.htrace`]);
    expect(contents(await readTrace(`${folder}/a.htrace.zst`))).toEqual(contents(events));
    const packed = readFileSync(`${folder}/a.htrace.zst`);
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    writeFileSync(`${folder}/skipped.zst`, Buffer.concat([skipped, packed]));
    expect(contents(await readTrace(`${folder}/skipped.zst`))).toEqual(contents(events));
    writeFileSync(`${folder}/damaged.zst`, Buffer.concat([packed.subarray(0, -2), Buffer.from('xx')]));
    await expect(readTrace(`${folder}/damaged.zst`)).rejects.toThrow(/found damaged compressed data \([^/]+\)/);
    writeFileSync(`${folder}/cut.zst`, readFileSync(`${folder}/a.htrace.zst`).subarray(0, -5));
    await expect(readTrace(`${folder}/cut.zst`)).rejects.toThrow(/found compressed data that break off/);
  });

  it('with a line that is too long are refused, wherever it is cut', async () => {
    const folder = temporaryFolder();
    const fine = `%htrace 1\n#${'x'.repeat(1 << 19)}\n= ${'y'.repeat(100_000)}\nm 0 1 5\n`;
    const tooLong = `%htrace 1\nm 0 1 5\n#${'x'.repeat(1 << 20)}\n`;
    for (const [name, text] of [
      ['fine', fine],
      ['long', tooLong],
    ] as const) {
      writeFileSync(`${folder}/${name}`, text);
      writeFileSync(`${folder}/${name}.gz`, gzipSync(text));
    }
    expect((await readTrace(`${folder}/fine`)).length).toBe(2);
    expect((await readTrace(`${folder}/fine.gz`)).length).toBe(2);
    const message = /:3:1: found a line of more than 1048576 bytes, expected an event$/;
    await expect(readTrace(`${folder}/long`)).rejects.toThrow(message);
    await expect(readTrace(`${folder}/long.gz`)).rejects.toThrow(message);
  });
});
