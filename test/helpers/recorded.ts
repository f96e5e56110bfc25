import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { expect, type TestContext } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import type { RunResult } from '../../bench/run/result.ts';
import { runInMode } from '../../bench/run/run-in-mode.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { recorderObstacle } from '../../workloads/recorder/recorder.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { requireThat } from './require.ts';
import { temporaryFolder } from './temporary.ts';

/** What programs in C need here. */
export const INCLUDES = `
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
`;

/** A folder with programs of the test's own, and `sim record` in it. */
export interface RecordingBench {
  readonly folder: string;
  /** Where the recordings have their temporary files. */
  readonly temporaries: string;
  /** Compiles a program; its name goes into commands as `./NAME`. Files that end in `.cc` are C++. */
  compile(file: string, source: string, flags?: readonly string[]): string;
  record(args: readonly string[], environment?: Readonly<Record<string, string>>): RecordResult;
  /** Event lines of a trace, without headers, samples, observations and steps of the clock. */
  lines(trace: string): string[];
  text(trace: string): string;
  events(trace: string): EventBuffer;
  replay(trace: string, allocator: string): Promise<RunResult>;
}

export interface RecordResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly processes: readonly {
    pid: number;
    ppid: number;
    command: string;
    trace: string;
    events: number;
    threads: number;
    exit: number | null;
  }[];
}

function read(file: string): EventBuffer {
  const bytes = readFileSync(file);
  const input = createHtbInput(file, bytes.length);
  input.push(bytes);
  return input.finish();
}

/** What `sim trace convert FILE -` writes, without the start of a command. */
function textOf(file: string): string {
  if (!file.endsWith('.htb')) return readFileSync(file, 'utf8');
  const decoder = new TextDecoder();
  let text = '';
  for (const chunk of formatTrace(read(file))) text += decoder.decode(chunk, { stream: true });
  return text;
}

export function recordingBench(context: TestContext): RecordingBench {
  requireThat(context, recorderObstacle() === undefined, `${recorderObstacle()}`);
  const folder = temporaryFolder();
  const temporaries = `${folder}/temporaries`;
  mkdirSync(temporaries);
  const sim = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    spawnSync(process.execPath, [`${import.meta.dirname}/../../dist/bench/cli.js`, ...args], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: temporaries, ...environment },
      maxBuffer: 2 ** 28,
    });
  const text = (trace: string) => textOf(`${folder}/${trace}`);
  return {
    folder,
    temporaries,
    compile(file, source, flags = []) {
      writeFileSync(`${folder}/${file}`, source);
      const name = file.replace(/\.\w+$/, '');
      const compiler = file.endsWith('.cc') ? 'c++' : 'cc';
      const made = spawnSync(compiler, ['-O0', '-w', '-fno-builtin', '-pthread', '-o', name, file, ...flags], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(made.stderr).toBe('');
      return `./${name}`;
    },
    record(args, environment) {
      const list = `${folder}/processes.json`;
      const { status, stdout, stderr } = sim(
        ['record', '--force', '--json', list, '--samples', '0', ...args],
        environment,
      );
      const processes = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')).processes : [];
      return { status, stdout, stderr, processes };
    },
    text,
    events: (trace) => read(`${folder}/${trace}`),
    replay: (trace, allocator) =>
      runInMode({
        events: read(`${folder}/${trace}`),
        workload: trace,
        spec: parseAllocator(allocator, availableParallelism()),
        cpus: availableParallelism(),
      }),
    lines: (trace) =>
      text(trace)
        .split('\n')
        .filter((line) => /^[a-z]/.test(line)),
  };
}
