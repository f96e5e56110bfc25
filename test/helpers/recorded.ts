import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, type TestContext } from 'vitest';
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
  /** The result of `sim run TRACE -a ALLOCATOR --json`. */
  replay(trace: string, allocator: string): ReplayedRecording;
}

export interface ReplayedRecording {
  readonly samples: readonly {
    readonly label: string;
    readonly rssBytes: number;
    readonly stats: Readonly<Record<string, number>>;
  }[];
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

/** What `sim trace convert TRACE -` writes, without the start of a command. */
function textOf(folder: string, trace: string): string {
  const bytes = readFileSync(`${folder}/${trace}`);
  const input = createHtbInput(trace, bytes.length);
  input.push(bytes);
  let text = '';
  const decoder = new TextDecoder();
  for (const chunk of formatTrace(input.finish())) text += decoder.decode(chunk, { stream: true });
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
  const text = (trace: string) =>
    trace.endsWith('.htb') ? textOf(folder, trace) : readFileSync(`${folder}/${trace}`, 'utf8');
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
    replay: (trace, allocator) => JSON.parse(sim(['run', trace, '-a', allocator, '--json']).stdout),
    lines: (trace) =>
      text(trace)
        .split('\n')
        .filter((line) => /^[a-z]/.test(line)),
  };
}
