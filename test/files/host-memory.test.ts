import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { memoryRoom, roomText } from '../../workloads/files/host-memory.ts';

const MIB = 2 ** 20;
const MEMINFO = 'MemTotal: 16777216 kB\nMemFree: 1024 kB\nMemAvailable:  8388608 kB\nSwapFree: 0 kB\n';
const LIMITS =
  'Limit      Soft Limit   Hard Limit   Units\nMax address space         unlimited            unlimited            bytes\n';
const HOST = { '/proc/meminfo': MEMINFO, '/proc/self/limits': LIMITS, '/proc/self/status': 'VmSize:\t 1048576 kB\n' };

const room = (files: Readonly<Record<string, string>>) => memoryRoom((path) => ({ ...HOST, ...files })[path]);

test('without groups and limits there is what the host has available', () => {
  expect(room({})).toEqual({ bytes: 8192 * MIB, of: { bytes: 16384 * MIB, whose: 'this host' } });
});

test('where there is no /proc there is the memory of the host', () => {
  expect(memoryRoom(() => undefined).bytes).toBe(totalmem());
});

test('cgroup v2: the narrowest of the group and those above; pages of files can be taken back', () => {
  const groups = {
    '/proc/self/cgroup': '0::/a/b\n',
    '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n',
    '/sys/fs/cgroup/a/b/memory.max': 'max\n',
    '/sys/fs/cgroup/a/b/memory.current': `${300 * MIB}\n`,
    '/sys/fs/cgroup/a/b/memory.stat': '',
    '/sys/fs/cgroup/a/memory.max': `${1024 * MIB}\n`,
    '/sys/fs/cgroup/a/memory.current': `${800 * MIB}\n`,
    '/sys/fs/cgroup/a/memory.stat': `anon ${300 * MIB}\ninactive_file ${400 * MIB}\nactive_file ${100 * MIB}\n`,
  };
  expect(room(groups)).toEqual({ bytes: 724 * MIB, of: { bytes: 1024 * MIB, whose: 'its group of processes' } });
});

test('cgroup v1: a container sees its own group at the root of the mount', () => {
  const groups = {
    '/proc/self/cgroup': '5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n',
    '/proc/self/mountinfo':
      '35 31 0:32 /docker/x /sys/fs/cgroup/memory ro,relatime - cgroup cgroup rw,memory\n36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${512 * MIB}\n`,
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${500 * MIB}\n`,
    '/sys/fs/cgroup/memory/memory.stat': `total_inactive_file ${88 * MIB}\ntotal_active_file 0\n`,
  };
  expect(roomText(room(groups))).toBe('100.0 MiB are left of 512.0 MiB in its group of processes');
});

test('cgroup v1: no limit is a number that no host has', () => {
  const groups = {
    '/proc/self/cgroup': '4:memory:/\n',
    '/proc/self/mountinfo': '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': '4096\n',
    '/sys/fs/cgroup/memory/memory.stat': '',
  };
  expect(room(groups).of.whose).toBe('this host');
});

test('RLIMIT_AS: what is mapped already is gone', () => {
  const limits = 'Max address space         4294967296           4294967296           bytes\n';
  expect(room({ '/proc/self/limits': limits })).toEqual({
    bytes: 3072 * MIB,
    of: { bytes: 4096 * MIB, whose: 'the address space (ulimit -v)' },
    isOfAddresses: true,
  });
});
