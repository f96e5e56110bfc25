import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bench } from 'tinybench';
import { assert } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { inTemporaryFolder } from '../../workloads/files/temporary-folder.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { encodeHtb } from '../../workloads/trace/binary-writer.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { median } from '../evidence/median.ts';
import { runCommand } from './commands/fresh-process.ts';

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

export async function measureLoading(
  events: EventBuffer,
  milliseconds: number,
  coldRuns: number,
  signal: AbortSignal,
): Promise<Loading> {
  const text = joined(formatTrace(events));
  const binary = joined(encodeHtb(events));
  const bench = new Bench({ signal, time: milliseconds, warmupTime: milliseconds / 2, now: processorMs });
  const breathes = { beforeEach: () => new Promise<void>((resolve) => setImmediate(resolve)) };
  const parse = () => {
    const parser = createTraceParser({ source: 'benchmark', rows: text.length / 6 }); // as readTrace guesses
    for (const chunk of pieces(text)) parser.push(chunk);
    assert(parser.finish().length === events.length, 'the text has lost events');
  };
  const load = () => {
    const input = createHtbInput('benchmark');
    for (const chunk of pieces(binary)) input.push(chunk);
    assert(input.finish().length === events.length, 'the binary form has lost events');
  };
  bench.add('text', parse, breathes).add('binary', load, breathes);
  await bench.run();
  signal.throwIfAborted();
  const [textMs, binaryMs] = bench.tasks.map((task) => {
    assert(task.result.state === 'completed', `${task.name} was not measured`);
    return task.result.latency.p50;
  }) as [number, number];
  return {
    textMegabytesPerSecond: text.length / 1e3 / textMs,
    binaryNsPerEvent: (binaryMs * 1e6) / events.length,
    coldSeconds: await measureCold(text, coldRuns, signal),
    coldEvents: events.length,
  };
}

async function measureCold(text: Uint8Array, runs: number, signal: AbortSignal): Promise<number> {
  return inTemporaryFolder(async (folder) => {
    const path = join(folder, 'cold.htrace');
    writeFileSync(path, text);
    const seconds: number[] = [];
    for (let run = 0; run < runs; run++) {
      seconds.push((await runCommand(['run', path, '--mode', 'lockstep', '--quiet'], signal)).seconds);
    }
    return median(seconds);
  });
}

function joined(chunks: Iterable<Uint8Array>): Uint8Array {
  return Buffer.concat([...chunks].map((chunk) => chunk));
}

function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
