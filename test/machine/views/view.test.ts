import { describe, expect, test } from 'vitest';
import { isMachineScript, machineText } from '../../../bench/cli/machine-script.ts';
import { runWithViews, viewsText } from '../../../bench/cli/machine-views.ts';
import { machineMoment } from '../../../bench/study/machine/machine-moment.ts';
import { parseScript } from '../../../machine/script/parse.ts';
import { runMachineScript } from '../../../machine/script/run.ts';
import { goFloat, openMetricsText, prometheusText } from '../../../machine/views/metrics/exposition.ts';
import { renderView } from '../../../machine/views/view.ts';
import { UserError } from '../../../sim/contract/assert.ts';

const SCRIPT = `#! -m 576
new p1 p2
cgroup C max=100M
p1 into C
p1 mmap S 20M shared
p1 touch S 0 6M
p1 write /mnt/f 0 8M sync
p1 read /mnt/f 0 4M
p1 read /mnt/f 0 4M
p2 write /dev/shm/x 0 3M
sample s
`;

const errorOf = (view: string): string => {
  const run = runMachineScript(SCRIPT);
  try {
    renderView(run, view);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  return '';
};

test('VmExe is at most what is executable, and VmLib the rest; statm has the text as exec found it', () => {
  const run = runMachineScript('new a\na munmap heap 4K 40M\nsample e\n');
  expect(renderView(run, 'status a')).toMatch(/^VmExe:\s+8 kB\nVmLib:\s+0 kB$/m);
  expect(renderView(run, 'cat /proc/a/statm').split(' ')[3]).toBe('166');
});

describe('views', () => {
  const run = runMachineScript(SCRIPT);

  test('a process by its name or its number, a region by its name or its range', () => {
    const { pid } = run.process('p1')!.task;
    expect(renderView(run, `pmap -x ${pid}`)).toBe(renderView(run, 'pmap -x p1'));
    expect(renderView(run, 'pmap-x:p1')).toBe(renderView(run, 'pmap -x p1'));
    expect(renderView(run, 'smaps:p1')).toBe(renderView(run, `cat /proc/${pid}/smaps`));
    const range = `/proc/${pid}/map_files/100000000000-100001400000`;
    expect(renderView(run, 'du -BM -D /proc/p1/map_files/S')).toBe(`6M\t${range}\n`);
    expect(renderView(run, `du --apparent-size -BM ${range}`)).toBe(`20M\t${range}\n`);
    expect(renderView(run, 'du -h /dev/shm/x')).toBe('3.0M\t/dev/shm/x\n');
    expect(renderView(run, 'stat -Lf /proc/p1/map_files/S')).toContain('Type: tmpfs');
  });

  test('what there is not is one line', () => {
    expect(errorOf('pmpa p1')).toBe("unknown view 'pmpa', did you mean 'pmap'?");
    expect(errorOf('pmap -x')).toMatch(/expected a process/);
    expect(errorOf('pmap -q p1')).toBe("view pmap: found '-q', expected -x, -X, -XX, -d or -p");
    expect(errorOf('smaps p9')).toBe("no process 'p9' is alive here; there are p1, p2");
    expect(errorOf('free -q')).toMatch(/^view free: found '-q', expected/);
    expect(errorOf('ps -o pid,rrs')).toMatch(/^view ps: unknown column 'rrs', did you mean '/);
    expect(errorOf('vmstat -S x')).toMatch(/^view vmstat -S: found 'x'/);
    expect(errorOf('cat /proc/nothing')).toBe("view: no file '/proc/nothing' on the machine");
    expect(errorOf('memory.stat D')).toMatch(/no file/);
    expect(errorOf('memory.stat')).toBe("view memory.stat: expected one group, found ''");
    expect(errorOf('du /proc/p2/map_files/S')).toBe("view: 'S' is no mapping of a file in 'p2'");
    expect(errorOf('')).toMatch(/^unknown view/);
  });

  test('the working set leaves out the inactive cache alone', () => {
    const stat = Object.fromEntries(
      renderView(run, 'memory.stat C')
        .trim()
        .split('\n')
        .map((line) => line.split(' '))
        .map(([name, value]) => [name, Number(value)]),
    ) as Record<string, number>;
    const current = Number(renderView(run, 'memory.current C'));
    const text = renderView(run, 'cadvisor');
    const value = (name: string) => Number(new RegExp(`^${name}\\{id="/C"\\} (\\S+) \\d+$`, 'm').exec(text)![1]);
    expect(value('container_memory_working_set_bytes')).toBe(current - stat['inactive_file']!);
    expect(value('container_memory_cache')).toBe(stat['file']);
    expect(stat['active_file']).toBeGreaterThan(3.9 * 2 ** 20);
    expect(stat['shmem']).toBe(6 * 2 ** 20);
  });

  test('a memory collector’s names', () => {
    const text = renderView(run, 'node-exporter');
    expect(text).toContain('# TYPE node_memory_Active_anon_bytes gauge\n');
    expect(text).toContain('node_memory_HugePages_Total 0\n');
    expect(text).toMatch(/^node_memory_Shmem_bytes 9\.437184e\+06$/m);
    expect(renderView(run, 'node-exporter --openmetrics')).toMatch(/# EOF\n$/);
  });

  test('views at several moments', async () => {
    const { views } = await runWithViews({
      ...machineText('shared-memory'),
      views: ['du -BM /proc/parent/map_files/A'],
      at: ['mapped', '6', 'written'],
    });
    expect(views.map(({ at, text }) => [at, text.split('\t')[0]])).toEqual([
      ['mapped', '0M'],
      ['6', '500M'],
      ['written', '1000M'],
    ]);
    expect(viewsText([views[2]!, views[2]!]).match(/86 parent/g)).toHaveLength(1);
    expect(viewsText(views)).toContain('$ du -BM /proc/parent/map_files/A   # written: 86 parent, 87 c1, 88 c2\n1000M');
  });
});

test('of several moments a process may be gone at one, not at all', async () => {
  const shown = (view: string) =>
    runWithViews({ ...machineText('shared-memory'), views: [view], at: ['written', 'children-gone'] });
  const { views } = await shown('statm c1');
  expect(views[0]!.text).toMatch(/^512350 /);
  expect(views[1]!.text).toBe("no process 'c1' is alive here; there are parent\n");
  await expect(shown('statm c9')).rejects.toThrow("no process 'c9' is alive here; there are parent, c1, c2");
});

describe('moments of a script', () => {
  const script = parseScript('new a\nsample 2\nsample x\nend\n');
  test('a label before the number of a step', () => {
    expect(machineMoment(script, '2')).toEqual({ label: '2' });
    expect(machineMoment(script, '3')).toEqual({ step: 3 });
    expect(machineMoment(script, '#1')).toEqual({ step: 1 });
    expect(machineMoment(script, 'end')).toBe('end');
    expect(() => machineMoment(script, '#4')).toThrow("--at: found '#4', expected a step from #1 to #3");
    expect(() => machineMoment(script, 'y')).toThrow("--at: no sample 'y'");
  });

  test('scripts are told from workloads', () => {
    expect(isMachineScript('tmpfs')).toBe(true);
    expect(isMachineScript('server')).toBe(false);
    expect(isMachineScript('test/fixtures/machine/tools/thp.txt')).toBe(true);
    expect(isMachineScript('package.json')).toBe(false);
  });
});

describe('formats of exporters', () => {
  test('numbers as Go writes them', () => {
    expect([0, 1, 123456, 1e6, 1234567, 16671399936, 0.5, 0.00012, 0.00001, -2e7].map(goFloat)).toEqual([
      '0',
      '1',
      '123456',
      '1e+06',
      '1.234567e+06',
      '1.6671399936e+10',
      '0.5',
      '0.00012',
      '1e-05',
      '-2e+07',
    ]);
  });

  test('a counter is called by its family in OpenMetrics', () => {
    const family = {
      name: 'a_seconds_total',
      type: 'counter' as const,
      help: 'a',
      points: [{ labels: { x: 'q"\\\n' }, value: 2, seconds: 1.5 }],
    };
    expect(openMetricsText([family])).toBe(
      '# HELP a_seconds a\n# TYPE a_seconds counter\na_seconds_total{x="q\\"\\\\\\n"} 2.0 1.5\n# EOF\n',
    );
    expect(prometheusText([family])).toBe(
      '# HELP a_seconds_total a\n# TYPE a_seconds_total counter\na_seconds_total{x="q\\"\\\\\\n"} 2 1500\n',
    );
  });
});
