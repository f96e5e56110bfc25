import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { INCLUDES, type RecordingBench, recordingBench } from '../helpers/recorded.ts';
import { requireThat } from '../helpers/require.ts';

const CLI = `${import.meta.dirname}/../../dist/bench/cli.js`;

/** What `sim explain` judges by itself, and the process's own memory there. */
function judged(bench: RecordingBench, trace: string) {
  const { stdout } = spawnSync(process.execPath, [CLI, 'explain', trace, '--no-what-if', '--json'], {
    cwd: bench.folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const { moment, sample, process: recorded } = JSON.parse(stdout);
  return { about: moment.about as string, liveBlocks: sample.liveBlocks as number, recorded };
}

describe('interpreters that take themselves down before the process exits', () => {
  /** Functions by the same names: Python's and PHP's own are called within their program too. */
  const standIn = (name: string, signature: string, body: string) => `${INCLUDES}
    static void *held[5000];
    __attribute__((noinline)) static void take(int from, int to) { for (int i = from; i < to; i++) held[i] = malloc(100); }
    __attribute__((noinline)) static void drop(void) {
      for (int i = 0; i < 5000; i++) { free(held[i]); if (i % 10 == 0) held[i] = malloc(20); else held[i] = NULL; }
      for (int i = 0; i < 5000; i += 10) free(held[i]);
    }
    long PyGC_Collect(void) { static volatile long collected; return ++collected; }
    ${signature} { ${body} }
    int main(int argc, char **argv) { take(0, 4000); ${name}(); free(malloc(argc)); return 0; }`;

  it('are judged when that begins, with what the process has of its own there', (context) => {
    const bench = recordingBench(context);
    const source = standIn(
      'Py_FinalizeEx',
      'int Py_FinalizeEx(void)',
      'take(4000, 5000); PyGC_Collect(); drop(); return 0;',
    );
    const program = bench.compile('snake.c', source, ['-rdynamic', '-O1', '-fno-inline']);
    expect(bench.record(['--', program]).status).toBe(0);
    const labels = [...bench.text('snake.htb').matchAll(/^= (.*)$/gm)].map(([, label]) => label);
    expect(labels).toEqual(['Py_FinalizeEx', 'Py_FinalizeEx', 'exit', 'end']);
    const { about, liveBlocks, recorded } = judged(bench, 'snake.htb');
    expect(about).toMatch(/^when Python began to take itself down \(Py_FinalizeEx\)/);
    expect(liveBlocks).toBe(5000); // the second time, when threads have ended and what was registered has been called
    expect(recorded.label).toBe('Py_FinalizeEx');
  });

  it('and one that lives on is judged at its exit', (context) => {
    const bench = recordingBench(context);
    const source = standIn('again', 'int Py_FinalizeEx(void)', 'drop(); return 0;').replace(
      'int main',
      'static void again(void) { Py_FinalizeEx(); take(0, 3000); }\nint main',
    );
    const program = bench.compile('again.c', source, ['-rdynamic', '-O1', '-fno-inline']);
    expect(bench.record(['--', program]).status).toBe(0);
    expect(judged(bench, 'again.htb')).toMatchObject({
      about: 'just before the program began to exit',
      liveBlocks: 3000,
    });
  });

  it('so is a real Python', (context) => {
    const bench = recordingBench(context);
    const python = '/usr/bin/python3';
    requireThat(context, existsSync(python), 'no python3');
    writeFileSync(`${bench.folder}/held.py`, 'held = {i: [str(i) * 10] for i in range(20000)}\n');
    bench.record(['-o', 'python.htb', '--', python, 'held.py'], { PYTHONMALLOC: 'malloc' });
    const { about, liveBlocks } = judged(bench, 'python.htb');
    expect(about).toMatch(/^when Python began to take itself down/);
    expect(liveBlocks).toBeGreaterThan(60_000);
  });
});

describe('what the recorder keeps in the process', () => {
  it('is the recorder’s, not the process’s own: tables of looked-at blocks too', (context) => {
    const bench = recordingBench(context);
    const program = bench.compile(
      'large.c',
      `${INCLUDES}
      int main(void) { for (int i = 0; i < 2000; i++) { char *p = malloc(70000 + i * 100); memset(p, 1, 70000); free(p); } return 0; }`,
    );
    bench.record(['--', program]);
    const values = /^= exit\n! .* anonymous (\d+) stack (\d+) data (\d+) files \d+ recorder (\d+)/m.exec(
      bench.text('large.htb'),
    )!;
    const [anonymous, stack, data, recorder] = values.slice(1).map(Number);
    expect(anonymous! + stack! + data!).toBeLessThan(200 * 1024);
    expect(recorder!).toBeGreaterThan(200 * 1024);
  });
});
