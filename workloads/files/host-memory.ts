import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { posix } from 'node:path';
import { bytes } from '../../sim/contract/format.ts';
import type { Bytes } from '../../sim/contract/units.ts';

/** What this process may still take before somebody refuses it, or ends it. */
export interface MemoryRoom {
  readonly bytes: Bytes;
  /** Whose limit that is, and how much it is. */
  readonly of: { readonly bytes: Bytes; readonly whose: string };
}

/** Contents of a file, or undefined where it cannot be read. */
export type ReadText = (path: string) => string | undefined;

function readHost(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * The narrowest of: each group of processes that this one is in (cgroup v1 and v2, up to the root), the address space (RLIMIT_AS), the
 * host. Pages of files count as room: the kernel takes them back before it ends a process. Where there is no /proc, the host's memory.
 */
export function memoryRoom(read: ReadText = readHost): MemoryRoom {
  const rooms = [hostRoom(read), addressSpaceRoom(read), ...groupRooms(read)].filter((room) => room !== undefined);
  const whole = { bytes: totalmem(), whose: 'this host' };
  return rooms.reduce((least, room) => (room.bytes < least.bytes ? room : least), { bytes: whole.bytes, of: whole });
}

/** As in messages: '200 MiB are left of 1.00 GiB in its group of processes'. */
export const roomText = ({ bytes: left, of }: MemoryRoom): string =>
  `${bytes(Math.max(0, left))} are left of ${bytes(of.bytes)} in ${of.whose}`;

const KIB = 1024;

/** `name value` or `name: value kB` lines. */
function numbersOf(text: string): (name: string) => number {
  const found = new Map([...text.matchAll(/^([^\s:]+):?\s+(\d+)/gm)].map(([, name, value]) => [name!, Number(value)]));
  return (name) => found.get(name) ?? 0;
}

function hostRoom(read: ReadText): MemoryRoom | undefined {
  const text = read('/proc/meminfo');
  if (text === undefined) return undefined;
  const kib = numbersOf(text);
  const left = (kib('MemAvailable') + kib('SwapFree')) * KIB;
  return { bytes: left, of: { bytes: kib('MemTotal') * KIB, whose: 'this host' } };
}

function addressSpaceRoom(read: ReadText): MemoryRoom | undefined {
  const limit = Number(/^Max address space +(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1]);
  const status = read('/proc/self/status');
  if (Number.isNaN(limit) || status === undefined) return undefined;
  return {
    bytes: limit - numbersOf(status)('VmSize') * KIB,
    of: { bytes: limit, whose: 'the address space (ulimit -v)' },
  };
}

function groupRooms(read: ReadText): MemoryRoom[] {
  const groups = read('/proc/self/cgroup');
  const mounts = read('/proc/self/mountinfo');
  if (groups === undefined || mounts === undefined) return [];
  return groups.split('\n').flatMap((line) => {
    const [, number, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) return [];
    if (number === '0') return walk(folderOf(mounts, 'cgroup2', '', path), (folder) => roomOfV2(folder, read));
    if (!controllers!.split(',').includes('memory')) return [];
    return walk(folderOf(mounts, 'cgroup', 'memory', path), (folder) => roomOfV1(folder, read));
  });
}

interface GroupFolder {
  readonly mount: string;
  readonly path: string;
}

/** Where a group's files are: the mount shows the hierarchy from its own root on (a container sees a part). */
function folderOf(mounts: string, type: string, option: string, path: string): GroupFolder | undefined {
  for (const line of mounts.split('\n')) {
    const [before, after] = line.split(' - ');
    const [, , , root, mount] = before!.split(' ');
    const [fsType, , options = ''] = after?.split(' ') ?? [];
    if (fsType !== type || (option !== '' && !options.split(',').includes(option))) continue;
    const inside = posix.relative(root!, path);
    return { mount: mount!, path: inside.startsWith('..') ? '' : inside };
  }
  return undefined;
}

/** The group and those above it, as far as they are seen. */
function walk(from: GroupFolder | undefined, roomOf: (folder: string) => MemoryRoom | undefined): MemoryRoom[] {
  if (!from) return [];
  const rooms: MemoryRoom[] = [];
  for (let path = from.path; ; path = posix.dirname(path)) {
    const room = roomOf(posix.join(from.mount, path));
    if (room) rooms.push(room);
    if (path === '' || path === '.') return rooms;
  }
}

function roomOfV2(folder: string, read: ReadText): MemoryRoom | undefined {
  const limit = Number(read(`${folder}/memory.max`) ?? 'max'); // 'max' is no number: there is no limit
  return Number.isNaN(limit) ? undefined : roomOf(folder, read, limit, 'memory.current', '');
}

/** Without a limit the file has a number that no host has. */
const UNLIMITED = 2 ** 60;

function roomOfV1(folder: string, read: ReadText): MemoryRoom | undefined {
  const limit = Number(read(`${folder}/memory.limit_in_bytes`) ?? UNLIMITED);
  return limit >= UNLIMITED ? undefined : roomOf(folder, read, limit, 'memory.usage_in_bytes', 'total_');
}

function roomOf(folder: string, read: ReadText, limit: Bytes, usage: string, prefix: string): MemoryRoom | undefined {
  const used = read(`${folder}/${usage}`);
  const stat = read(`${folder}/memory.stat`);
  if (used === undefined || stat === undefined) return undefined;
  const value = numbersOf(stat);
  const files = value(`${prefix}inactive_file`) + value(`${prefix}active_file`);
  return { bytes: limit - Number(used) + files, of: { bytes: limit, whose: 'its group of processes' } };
}
