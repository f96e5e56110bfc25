import { readFileSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { resolveWorkload } from '../../workloads/index.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { writeTrace } from '../../workloads/trace/output.ts';
import { readTrace } from '../../workloads/trace/reader.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

/** As its bytes come, without a file to look into: another way to the same events. */
function pushed(path: string): EventBuffer {
  const bytes = readFileSync(path);
  const input = createHtbInput(path, bytes.length);
  for (let at = 0; at < bytes.length; at += 70_001) input.push(bytes.subarray(at, at + 70_001));
  return input.finish();
}

const sameBytes = (x: Int32Array | Uint32Array, y: Int32Array | Uint32Array): boolean =>
  Buffer.from(x.buffer, x.byteOffset, x.byteLength).equals(Buffer.from(y.buffer, y.byteOffset, y.byteLength));

function expectSame(found: EventBuffer, expected: EventBuffer): void {
  const { head, slot, a, b, sites, ...rest } = found;
  const { head: head1, slot: slot1, a: a1, b: b1, sites: sites1, ...rest1 } = expected;
  expect(rest).toEqual(rest1);
  expect([sameBytes(head, head1), sameBytes(slot, slot1), sameBytes(a, a1), sameBytes(b, b1)]).toEqual(
    Array(4).fill(true),
  );
  expect(sites === undefined ? sites1 === undefined : sameBytes(sites, sites1!)).toBe(true);
}

const recorded = (): EventBuffer => {
  const lines = ['%htrace 2', '%frame 1 main', '%frame 2 work', '%site 1 0 1', '%site 2 1 2'];
  for (let i = 0; i < 40_000; i++)
    lines.push(`m 0 ${i} ${(i * 37) % 5000}${[' @1', '', ' ~ @2', ' ~'][i % 4]!}`, `f 0 ${i}`);
  const parser = createTraceParser();
  parser.push(new TextEncoder().encode(`${lines.join('\n')}\n`));
  return parser.finish();
};

describe('a binary trace that is read whole from its file', () => {
  it.each([
    'stress:profile=mix,events=80000,seed=5',
    'stress:profile=exits,events=70000,threads=6,seed=6',
    'php-pool:requests=3',
    'larson:threads=3,rounds=4',
  ])('is what its bytes say: %s', async (workload) => {
    const path = `${folder}/w.htb`;
    await writeTrace(path, (await resolveWorkload(workload)).events);
    expectSame(await readTrace(path), pushed(path));
  });

  it('keeps call sites and marks', async () => {
    const path = `${folder}/r.htb`;
    const events = recorded();
    await writeTrace(path, events);
    const found = await readTrace(path);
    expectSame(found, pushed(path));
    expect(found.sites!.subarray(0, 8)).toEqual(events.sites!.subarray(0, 8));
    expect(found.marks.rows.length).toBe(events.marks.rows.length);
  });

  it('is refused in the words of what comes through a pipe, wherever a byte differs', async () => {
    const path = `${folder}/d.htb`;
    await writeTrace(path, recorded());
    const whole = readFileSync(path);
    const words = (work: () => unknown): Promise<string> =>
      Promise.resolve()
        .then(work)
        .then(
          () => 'none',
          (error) => (error instanceof UserError ? error.message : `not the user's: ${error.stack}`),
        );
    for (let at = 8; at < whole.length; at += Math.ceil(whole.length / 40)) {
      const damaged = Uint8Array.from(whole);
      damaged[at]! ^= 0x41;
      writeFileSync(path, damaged);
      const found = await words(() => readTrace(path));
      expect(found).toBe(await words(() => pushed(path)));
      expect(found).toMatch(/found .*, expected |^none$/);
    }
  });
});
