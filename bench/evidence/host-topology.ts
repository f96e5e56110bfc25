import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../sim/contract/assert.ts';
import type { MeasuredTopology } from '../../sim/time/topology.ts';
import { compileNative } from './native/native.ts';

const PROGRAM = {
  title: 'the measurement of lines between processors',
  name: 'topology',
  flags: ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-pthread'],
};

const SYSTEM_CPUS = '/sys/devices/system/cpu';

/** `0-3,8` → 0, 1, 2, 3, 8. */
export function parseCpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

/**
 * Of each processor in `cpus` the number of its core, last-level cache and socket, from 0 on in the order in which they come. `root` is Linux's
 * /sys/devices/system/cpu; what is missing there (containers, other systems) counts as one core each, in one cache and one socket.
 */
export function readTopology(
  cpus: readonly number[],
  root = SYSTEM_CPUS,
): Pick<MeasuredTopology, 'core' | 'llc' | 'socket'> {
  const read = (cpu: number, file: string): string | undefined => {
    const path = join(root, `cpu${cpu}`, file);
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
  };
  const lastCache = (cpu: number): string => {
    const folder = join(root, `cpu${cpu}`, 'cache');
    const indexes = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('index')) : [];
    const levels = indexes.map((name) => ({
      level: Number(read(cpu, join('cache', name, 'level')) ?? 0),
      shared: read(cpu, join('cache', name, 'shared_cpu_list')) ?? '',
    }));
    return levels.sort((a, b) => b.level - a.level)[0]?.shared ?? '';
  };
  const groups = (keyOf: (cpu: number) => string): number[] => {
    const seen = new Map<string, number>();
    return cpus.map((cpu) => {
      const key = keyOf(cpu);
      if (!seen.has(key)) seen.set(key, seen.size);
      return seen.get(key)!;
    });
  };
  return {
    core: groups(
      (cpu) => read(cpu, 'topology/core_cpus_list') ?? read(cpu, 'topology/thread_siblings_list') ?? `cpu${cpu}`,
    ),
    llc: groups(lastCache),
    socket: groups((cpu) => read(cpu, 'topology/physical_package_id') ?? ''),
  };
}

/** What the program prints: processors by the system's numbers; pairs by their places in that list. */
interface Lines {
  readonly cpus: readonly number[];
  readonly pairs: readonly (readonly [i: number, j: number, ns: number])[];
}

/** This machine, with a line between any two of the processors that this process may run on. */
export function measureTopology(): MeasuredTopology {
  const { status, stdout, stderr } = spawnSync(compileNative(PROGRAM), { encoding: 'utf8' });
  if (status !== 0) throw new UserError(`${PROGRAM.title} failed: ${stderr.trim() || `exit code ${status}`}`);
  const { cpus, pairs } = JSON.parse(stdout) as Lines;
  const lineNs = cpus.map(() => cpus.map(() => 0));
  for (const [i, j, ns] of pairs) {
    lineNs[i]![j] = ns;
    lineNs[j]![i] = ns;
  }
  return { ...readTopology(cpus), lineNs };
}

/** What a machine of this shape cannot tell, by the price that it concerns. */
export function unmeasured({ core, llc, socket }: MeasuredTopology): string[] {
  const count = (groups: readonly number[]) => new Set(groups).size;
  const cpus = core.length;
  const missing: string[] = [];
  if (cpus < 2)
    missing.push('with one processor: everything between processors (lines, wake-ups of idle ones, shoot-downs)');
  if (cpus < 3) missing.push('with fewer than three processors: what a further target of a shoot-down costs');
  if (count(core) === cpus) missing.push('without two threads on a core: lines between them');
  if (count(llc) === 1) missing.push('with one last-level cache: lines between two of them');
  if (count(socket) === 1) missing.push('with one socket: lines between sockets');
  return missing;
}
