import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { runLockstep } from '../../bench/run/modes/lockstep.ts';
import { type EventBuffer, OP_FREE, OP_MALLOC, OP_MASK } from '../../sim/contract/event.ts';
import { createRandom } from '../../sim/contract/random.ts';
import { parseTlb } from '../../sim/tlb/settings.ts';
import { resolveWorkload } from '../../workloads/index.ts';

const NATIVE = fileURLToPath(new URL('native', import.meta.url));
const isThere = (program: string) => spawnSync(program, ['--version'], { encoding: 'utf8' });
const libc = spawnSync('ldd', ['--version'], { encoding: 'utf8' }).stdout ?? '';
const missing =
  isThere('qemu-x86_64').status !== 0 || isThere('gcc').status !== 0 || process.arch !== 'x64'
    ? 'qemu-x86_64 and gcc'
    : !/2\.36/.test(libc)
      ? 'glibc 2.36'
      : undefined;
if (missing) console.warn(`skipped: the TLB beside a real replay under QEMU (needs ${missing})`);

/** Slot and size of each malloc, slot and -1 of each free; nothing else may be in the workload. */
function listOf({ head, slot, a, length }: EventBuffer): Uint32Array {
  const words: number[] = [];
  for (let row = 0; row < length; row++) {
    const op = head[row]! & OP_MASK;
    if (op === OP_MALLOC) words.push(slot[row]!, a[row]!);
    else if (op === OP_FREE) words.push(slot[row]!, 0xffffffff);
  }
  return Uint32Array.from(words);
}

/** Blocks of all sizes, mapped ones among them, live for a while; the path of the trace. */
function randomTrace(path: string): string {
  const draws = createRandom(7, 'tlb');
  const live: number[] = [];
  const lines = ['%htrace 1'];
  for (let id = 1; id <= 4000; id++) {
    lines.push(`m 0 ${id} ${2 ** draws.integer(4, 17) + draws.integer(0, 5000)}`);
    live.push(id);
    while (live.length > 300) lines.push(`f 0 ${live.splice(draws.integer(0, live.length - 1), 1)}`);
  }
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

describe.skipIf(missing)('a real program under QEMU', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tlb-'));
    const build = ['-O2', '-w'];
    execFileSync('gcc', [
      ...build,
      '-shared',
      '-fPIC',
      '-fvisibility=hidden',
      '-o',
      join(folder, 'plugin.so'),
      join(NATIVE, 'plugin.c'),
    ]);
    execFileSync('gcc', [...build, '-no-pie', '-o', join(folder, 'replay'), join(NATIVE, 'replay.c')]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const addressOf = (symbol: string) =>
    execFileSync('nm', [join(folder, 'replay')], { encoding: 'utf8' }).match(
      new RegExp(`^(\\w+) \\w ${symbol}$`, 'm'),
    )![1]!;

  function real(events: EventBuffer, geometry: string): { accesses: number; misses: number; walks: number } {
    const list = join(folder, 'list');
    writeFileSync(list, listOf(events));
    const { stderr } = spawnSync(
      'qemu-x86_64',
      [
        '-plugin',
        `${join(folder, 'plugin.so')},${geometry},from=${addressOf('use_start')},to=${addressOf('use_end')}`,
        '-d',
        'plugin',
        join(folder, 'replay'),
        list,
      ],
      { encoding: 'utf8' },
    );
    const found = /accesses (\d+) l1-misses (\d+) walks (\d+)/.exec(stderr);
    expect(stderr).toMatch(/walks/);
    const [accesses, misses, walks] = found!.slice(1).map(Number) as [number, number, number];
    return { accesses, misses, walks };
  }

  test.each([
    ['fragmenter:rounds=4', 'l1=64,l1ways=64,l2=2048,l2ways=16'],
    ['fragmenter:rounds=4', 'l1=64,l1ways=4,l2=512,l2ways=8'],
    ['random', 'l1=64,l1ways=64,l2=2048,l2ways=16'],
    ['random', 'l1=16,l1ways=16,l2=64,l2ways=64'],
  ])('%s, %s: misses of both levels', async (name, geometry) => {
    const { events } = await resolveWorkload(name === 'random' ? randomTrace(join(folder, 'random.htrace')) : name);
    const seen = real(events, geometry);
    const { tlb } = await runLockstep({
      events,
      workload: name,
      cpus: 1,
      spec: parseAllocator('glibc', 1),
      tlb: parseTlb(`zen3:${geometry}`),
    });
    const { loads, stores, loadL1Misses, storeL1Misses, loadWalks, storeWalks, faultWalks } = tlb!.counts;
    // The emulator has no walks of its own: what an access that faults looks up twice, it looks up once.
    const counted = {
      accesses: loads + stores,
      misses: loadL1Misses + storeL1Misses - faultWalks,
      walks: loadWalks + storeWalks - faultWalks,
    };
    expect(counted).toEqual(seen);
  });
});
