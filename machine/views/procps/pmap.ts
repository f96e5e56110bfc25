import type { Kernel, Task } from '../../kernel/kernel.ts';
import type { Vma } from '../../kernel/mm-types.ts';
import { VM_SHARED, VM_STACK, VM_WRITE } from '../../kernel/vm-flags.ts';
import { smapsFields } from '../proc/process-files.ts';
import { deviceOf, hex, inodeOf, isHeap, nameOf, offsetOf, permOf, vmFlagsOf } from '../proc/vma-text.ts';
import { wrongOption } from '../wrong-option.ts';

const modeOf = (vma: Vma): string => `${permOf(vma.flags).replace('p', '-')}-`;

/** The file's name without its folders, as pmap shows it unless -p asks for all of it. */
function mappingOf(vma: Vma, fullPath: boolean): string {
  if (vma.flags & VM_STACK) return '  [ stack ]';
  const name = nameOf(vma);
  if (name === '' || name.startsWith('[') || isHeap(vma)) return '  [ anon ]';
  return fullPath ? name : baseName(name);
}

const baseName = (path: string): string =>
  path.slice(path.lastIndexOf('/', path.indexOf(' ') < 0 ? undefined : path.indexOf(' ')) + 1);

const addressOf = (vma: Vma): string => hex(vma.start * 4096, 16);
const kbOf = (vma: Vma): number => vma.pages * 4;
const right = (value: number, width: number): string => String(value).padStart(width);

/** `head` is the line with the process's number and arguments. Options: -x, -X, -XX, -d, -p. */
export function pmapText(k: Kernel, task: Task, head: string, options: readonly string[]): string {
  let fullPath = false;
  let form = '';
  for (const option of options) {
    if (option === '-p') fullPath = true;
    else if (['-x', '-X', '-XX', '-d'].includes(option)) form = option;
    else throw wrongOption('pmap', option, '-x, -X, -XX, -d or -p');
  }
  const { vmas } = task.mm;
  const body =
    form === '-x'
      ? extended(k, vmas, fullPath)
      : form === '-d'
        ? devices(vmas, fullPath)
        : form === ''
          ? plain(vmas, fullPath)
          : everything(k, vmas, form === '-XX', fullPath);
  return `${head}\n${body.join('\n')}\n`;
}

const total = (vmas: readonly Vma[]): number => vmas.reduce((sum, vma) => sum + kbOf(vma), 0);

function plain(vmas: readonly Vma[], fullPath: boolean): string[] {
  return [
    ...vmas.map((vma) => `${addressOf(vma)} ${right(kbOf(vma), 6)}K ${modeOf(vma)} ${mappingOf(vma, fullPath)}`),
    ` total ${right(total(vmas), 16)}K`,
  ];
}

function extended(k: Kernel, vmas: readonly Vma[], fullPath: boolean): string[] {
  const rows = vmas.map((vma) => {
    const fields = Object.fromEntries(smapsFields(k, vma));
    return { vma, rss: fields['Rss']!, dirty: fields['Shared_Dirty']! + fields['Private_Dirty']! };
  });
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((all, row) => all + of(row), 0);
  return [
    'Address           Kbytes     RSS   Dirty Mode  Mapping',
    ...rows.map(
      ({ vma, rss, dirty }) =>
        `${addressOf(vma)} ${right(kbOf(vma), 7)} ${right(rss, 7)} ${right(dirty, 7)} ${modeOf(vma)} ${mappingOf(vma, fullPath)}`,
    ),
    '---------------- ------- ------- ------- ',
    `total kB ${right(total(vmas), 15)} ${right(
      sum((row) => row.rss),
      7,
    )} ${right(
      sum((row) => row.dirty),
      7,
    )}`,
  ];
}

function devices(vmas: readonly Vma[], fullPath: boolean): string[] {
  const shared = total(vmas.filter(({ flags }) => flags & VM_SHARED));
  const own = total(vmas.filter(({ flags }) => (flags & (VM_SHARED | VM_WRITE)) === VM_WRITE));
  const device = (vma: Vma) => {
    const [major, minor] = deviceOf(vma).split(':');
    return `${major!.padStart(3, '0')}:${minor!.padStart(5, '0')}`;
  };
  return [
    'Address           Kbytes Mode  Offset           Device    Mapping',
    ...vmas.map(
      (vma) =>
        `${addressOf(vma)} ${right(kbOf(vma), 7)} ${modeOf(vma)} ${hex(offsetOf(vma), 16)} ${device(vma)} ${mappingOf(vma, fullPath)}`,
    ),
    `mapped: ${total(vmas)}K    writeable/private: ${own}K    shared: ${shared}K`,
  ];
}

/** What -X leaves out. */
const UNIMPORTANT = new Set([
  'AnonHugePages',
  'KernelPageSize',
  'MMUPageSize',
  'Shared_Dirty',
  'Private_Dirty',
  'Shared_Clean',
  'Private_Clean',
]);

/** -X and -XX: all columns as wide as their widest cell, with sums below. */
function everything(k: Kernel, vmas: readonly Vma[], more: boolean, fullPath: boolean): string[] {
  const rows = vmas.map((vma) => ({
    vma,
    fields: smapsFields(k, vma).filter(([name]) => more || !UNIMPORTANT.has(name)),
  }));
  const names = rows[0]?.fields.map(([name]) => name) ?? [];
  const sums = names.map((_, i) => rows.reduce((sum, { fields }) => sum + fields[i]![1], 0));
  const widest = (cells: readonly string[]) => Math.max(...cells.map((cell) => cell.length));
  const fixed = [
    ['Address', (vma: Vma) => hex(vma.start * 4096, 8)],
    ['Perm', (vma: Vma) => permOf(vma.flags)],
    ['Offset', (vma: Vma) => hex(offsetOf(vma), 8)],
    ['Device', (vma: Vma) => deviceOf(vma)],
    ['Inode', (vma: Vma) => String(inodeOf(vma))],
  ] as const;
  const fixedWidths = fixed.map(([name, of]) => widest([name, ...vmas.map(of)]));
  const widths = names.map((name, i) =>
    widest([name, ...rows.map(({ fields }) => String(fields[i]![1])), String(sums[i])]),
  );
  const flags = vmas.map((vma) => vmFlagsOf(k, vma));
  const flagsWidth = widest(['VmFlags', ...flags]);
  const line = (first: readonly string[], figures: readonly string[], flag: string, name: string) =>
    [
      ...first.map((cell, i) => cell.padStart(fixedWidths[i]!)),
      ...figures.map((cell, i) => cell.padStart(widths[i]!)),
      ...(more ? [flag.padStart(flagsWidth)] : []),
      name,
    ].join(' ');
  const indent = ' '.repeat(fixedWidths.reduce((sum, width) => sum + width + 1, 0));
  return [
    line(
      fixed.map(([name]) => name),
      names,
      'VmFlags',
      'Mapping',
    ),
    ...rows.map(({ vma, fields }, i) =>
      line(
        fixed.map(([, of]) => of(vma)),
        fields.map(([, value]) => String(value)),
        flags[i]!,
        fullPath ? nameOf(vma) : baseName(nameOf(vma)),
      ),
    ),
    `${indent}${widths.map((width) => `${'='.repeat(width)} `).join('')}`,
    `${indent}${sums.map((sum, i) => `${right(sum, widths[i]!)} `).join('')}KB `,
  ];
}
