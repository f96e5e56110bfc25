/** du, stat, ls and df, as far as they tell of memory. */
import type { Task } from '../kernel/kernel.ts';
import type { AddressSpace, Vma } from '../kernel/mm-types.ts';
import { swappedPages } from '../kernel/shmem.ts';
import type { MachineRun } from '../script/machine-run.ts';
import { hex, isOpenedReadOnly, nameOf } from './proc/vma-text.ts';
import { wrongOption } from './wrong-option.ts';

/** A file and the path by which it was named. */
export interface FileOnPath {
  readonly path: string;
  readonly object: AddressSpace;
}

/** st_blocks in pages: of shared memory what is in swap too; of a disk's file all that was written. */
function allocatedBytes(object: AddressSpace): number {
  if (object.kind === 'shmem') return (object.nrPages + swappedPages(object).size) * 4096;
  return Math.ceil(object.sizeBytes / 4096) * 4096;
}

const BLOCKS: Readonly<Record<string, number>> = { k: 1024, K: 1024, m: 2 ** 20, M: 2 ** 20, G: 2 ** 30, b: 1 };

/** Rounded up, as du and df do: 5.0M, 227M. */
function humanCeil(bytes: number): string {
  if (bytes < 1024) return String(bytes);
  let scaled = bytes / 1024;
  const units = ['K', 'M', 'G', 'T'];
  let unit = 0;
  while (scaled >= 1024 && unit < 3) {
    scaled /= 1024;
    unit++;
  }
  const tenths = Math.ceil(scaled * 10 - 1e-9) / 10;
  return `${tenths < 10 ? tenths.toFixed(1) : Math.ceil(scaled - 1e-9)}${units[unit]}`;
}

/** `du [-k|-m|-h|-BM] [--apparent-size] [-D] FILE`. */
export function duText(words: readonly string[], fileOf: (path: string) => FileOnPath): string {
  let block = 1024;
  let suffix = '';
  let human = false;
  let apparent = false;
  const paths: string[] = [];
  for (const word of words) {
    const size = /^-(?:B|-block-size=)?([kKmMGb])$/.exec(word);
    if (word === '--apparent-size') apparent = true;
    else if (word === '-h') human = true;
    else if (size) {
      block = BLOCKS[size[1]!]!;
      suffix = word.startsWith('-B') || word.startsWith('--') ? size[1]! : '';
      if (size[1] === 'b') apparent = true;
    } else if (word.startsWith('-') && !/^-[DLs]+$/.test(word)) {
      throw wrongOption('du', word, '-k, -m, -h, -BM, --apparent-size, -s, -D or a file');
    } else if (!word.startsWith('-')) paths.push(word);
  }
  return paths
    .map(fileOf)
    .map(({ path, object }) => {
      const bytes = apparent ? object.sizeBytes : allocatedBytes(object);
      return `${human ? humanCeil(bytes) : `${Math.ceil(bytes / block)}${suffix}`}\t${path}\n`;
    })
    .join('');
}

/** `stat [-L] FILE` without its times, and `stat -f FILE`'s kind of file system. */
export function statText(words: readonly string[], fileOf: (path: string) => FileOnPath): string {
  const paths = words.filter((word) => !word.startsWith('-'));
  const ofFileSystem = words.some((word) => /^-L?f/.test(word));
  return paths
    .map(fileOf)
    .map(({ path, object }) => {
      if (ofFileSystem) {
        const type = object.kind === 'shmem' ? 'tmpfs' : object.kind === 'disk' ? 'ext2/ext3' : 'ramfs';
        return `  File: "${path}"\n    ID: 0        Namelen: 255     Type: ${type}\n`;
      }
      const [major, minor] = object.device.split(':').map((part) => Number.parseInt(part, 16));
      const pad = (text: string, width: number) => text.padEnd(width);
      const anonymous = object.path === '/dev/zero (deleted)';
      return [
        `  File: ${path}\n`,
        `  Size: ${pad(String(object.sizeBytes), 10)}\tBlocks: ${pad(String(allocatedBytes(object) / 512), 10)} IO Block: 4096   regular file\n`,
        `Device: ${major},${minor}\tInode: ${pad(String(object.inode), 11)} Links: ${object.links}\n`,
        `Access: (${anonymous ? '0777/-rwxrwxrwx' : '0644/-rw-r--r--'})  Uid: (    0/    root)   Gid: (    0/    root)\n`,
      ].join('');
    })
    .join('');
}

const mapFile = (vma: Vma): string => `${hex(vma.start * 4096)}-${hex(vma.end * 4096)}`;

/** The mapping of a file whose range is its name under map_files. */
export const mappingByRange = (task: Task, range: string): Vma | undefined =>
  task.mm.vmas.find((vma) => vma.object && mapFile(vma) === range);

/** `ls -l /proc/PID/map_files`: one link for each mapping of a file, in the order of their names. */
export function mapFilesText(task: Task): string {
  const rows = task.mm.vmas
    .filter(({ object }) => object !== null && object.kind !== 'special')
    .map((vma) => [mapFile(vma), vma] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, vma]) => {
      const writable = vma.object!.kind !== 'ramfs' && !isOpenedReadOnly(vma);
      return `lr${writable ? 'w' : '-'}------- 1 root root 64 Jan  1 00:00 ${name} -> ${nameOf(vma)}\n`;
    });
  return `total 0\n${rows.join('')}`;
}

/** `df [-k|-h] [DIR…]` of the mounts of tmpfs. */
export function dfText(run: MachineRun, words: readonly string[]): string {
  const human = words.includes('-h');
  const directories = words.filter((word) => !word.startsWith('-'));
  const wrong = words.find((word) => word.startsWith('-') && word !== '-h' && word !== '-k');
  if (wrong) throw wrongOption('df', wrong, '-h, -k or a directory');
  const mounts = run.files.mounts.filter(
    ({ type, path }) => type === 'tmpfs' && (directories.length === 0 || directories.includes(path)),
  );
  const size = (pages: number) => (human ? humanCeil(pages * 4096) : String(pages * 4));
  const rows = mounts.map(({ path, usedPages, limitPages }) => {
    const share = limitPages === 0 ? '-' : `${Math.ceil((usedPages * 100) / limitPages)}%`;
    return [
      'tmpfs',
      size(limitPages),
      human && usedPages === 0 ? '0' : size(usedPages),
      size(limitPages - usedPages),
      share,
      path,
    ];
  });
  const heads = [
    'Filesystem',
    human ? 'Size' : '1K-blocks',
    'Used',
    human ? 'Avail' : 'Available',
    'Use%',
    'Mounted on',
  ];
  const table = [heads, ...rows];
  const least = [14, human ? 5 : 0, 5, human ? 5 : 0, 4, 0];
  const widths = heads.map((_, i) => Math.max(least[i]!, ...table.map((row) => row[i]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : i === 5 ? cell : cell.padStart(widths[i]!)))
        .join(' ')
        .concat('\n'),
    )
    .join('');
}
