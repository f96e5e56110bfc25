import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bench } from 'tinybench';
import { assert } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createHtbInput, encodeHtb } from '../../workloads/trace/binary.ts';
import { createTraceParser } from '../../workloads/trace/parser.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { median } from './median.ts';

export interface Loading {
  readonly textMegabytesPerSecond: number;
  readonly binaryNsPerEvent: number;
  /** `sim run` from start to end on a text trace of `coldEvents` events. */
  readonly coldSeconds: number;
  readonly coldEvents: number;
}

/** A busy machine disturbs it less than the time on the wall. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** As a file is read: in pieces. */
const CHUNK_BYTES = 1 << 20;

export async function measureLoading(events: EventBuffer, milliseconds: number, coldRuns: number): Promise<Loading> {
  const text = joined(formatTrace(events));
  const binary = joined(encodeHtb(events));
  const bench = new Bench({ time: milliseconds, warmupTime: milliseconds / 2, now: processorMs });
  bench.add('text', () => {
    const parser = createTraceParser({ source: 'benchmark', rows: text.length / 6 }); // as readTrace guesses
    for (const chunk of pieces(text)) parser.push(chunk);
    assert(parser.finish().length === events.length, 'the text has lost events');
  });
  bench.add('binary', () => {
    const input = createHtbInput('benchmark');
    for (const chunk of pieces(binary)) input.push(chunk);
    assert(input.finish().length === events.length, 'the binary form has lost events');
  });
  await bench.run();
  const [textMs, binaryMs] = bench.tasks.map((task) => {
    assert(task.result.state === 'completed', `${task.name} was not measured`);
    return task.result.latency.p50;
  }) as [number, number];
  return {
    textMegabytesPerSecond: text.length / 1e3 / textMs,
    binaryNsPerEvent: (binaryMs * 1e6) / events.length,
    coldSeconds: measureCold(text, coldRuns),
    coldEvents: events.length,
  };
}

function measureCold(text: Uint8Array, runs: number): number {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-bench-'));
  try {
    const path = join(folder, 'cold.htrace');
    writeFileSync(path, text);
    const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
    const seconds = Array.from({ length: runs }, () => {
      const started = performance.now();
      const { status } = spawnSync(process.execPath, [cli, 'run', path, '--mode', 'lockstep', '--quiet']);
      assert(status === 0, 'sim run failed in the benchmark');
      return (performance.now() - started) / 1000;
    });
    return median(seconds);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function joined(chunks: Iterable<Uint8Array>): Uint8Array {
  return Buffer.concat([...chunks].map((chunk) => chunk));
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
