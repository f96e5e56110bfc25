import type { Kernel } from '../../kernel/kernel.ts';
import type { Vma } from '../../kernel/mm-types.ts';
import {
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_EXEC,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_LOCKED,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_STACK,
  VM_WIPEONFORK,
  VM_WRITE,
} from '../../kernel/vm-flags.ts';

export const hex = (value: number, width = 0): string => value.toString(16).padStart(width, '0');

export const permOf = (flags: number): string =>
  `${flags & VM_READ ? 'r' : '-'}${flags & VM_WRITE ? 'w' : '-'}${flags & VM_EXEC ? 'x' : '-'}${flags & VM_SHARED ? 's' : 'p'}`;

/** Start and end as maps prints them: eight digits at least. */
export const rangeOf = (vma: Vma): string => `${hex(vma.start * 4096, 8)}-${hex(vma.end * 4096, 8)}`;

/** A mapping's file, or what the kernel calls the area; empty for anonymous memory. */
export function nameOf(vma: Vma): string {
  if (vma.object && vma.object.kind !== 'special') {
    const { path, links } = vma.object;
    return links > 0 || path.endsWith(' (deleted)') ? path : `${path} (deleted)`;
  }
  if (vma.object) return vma.object.path;
  if (vma.flags & VM_STACK) return '[stack]';
  if (vma.flags & VM_PFNMAP) return vma.name;
  return isHeap(vma) ? '[heap]' : '';
}

/** The area behind the binary, up to the break: its .bss is in it where addresses are not randomized. */
export const isHeap = (vma: Vma): boolean =>
  vma.object === null && vma.start >= 0x4db && vma.start * 4096 < vma.mm.brk + 4096;

const isFile = (vma: Vma): boolean => vma.object !== null && vma.object.kind !== 'special';

export const offsetOf = (vma: Vma): number => (isFile(vma) ? vma.pgoff * 4096 : 0);
export const deviceOf = (vma: Vma): string => (isFile(vma) ? vma.object!.device : '00:00');
export const inodeOf = (vma: Vma): number => (isFile(vma) ? vma.object!.inode : 0);

/** show_map_vma: one line of maps, and the head of each mapping in smaps; the name begins at column 73. */
export function mapsLine(vma: Vma): string {
  const head = `${rangeOf(vma)} ${permOf(vma.flags)} ${hex(offsetOf(vma), 8)} ${deviceOf(vma)} ${inodeOf(vma)} `;
  const name = nameOf(vma);
  return name === '' ? head : `${head.padEnd(73)}${name}`;
}

/** Whether a script's mapping is of a file that it opened to read only: then it can never be written. */
export const isOpenedReadOnly = ({ object, flags }: Vma): boolean =>
  object !== null &&
  object.kind !== 'special' &&
  object.links > 0 &&
  object.kind !== 'ramfs' &&
  (flags & VM_WRITE) === 0;

/** show_smap_vma_flags: in the order of the kernel's bits. */
export function vmFlagsOf(_k: Kernel, vma: Vma): string {
  const { flags } = vma;
  const special = (flags & VM_PFNMAP) !== 0;
  const vdso = vma.object?.kind === 'special';
  const stack = (flags & VM_STACK) !== 0;
  const shared = (flags & VM_SHARED) !== 0;
  const readOnly = shared && isOpenedReadOnly(vma);
  const mnemonics: readonly (readonly [string, boolean])[] = [
    ['rd', (flags & VM_READ) !== 0],
    ['wr', (flags & VM_WRITE) !== 0],
    ['ex', (flags & VM_EXEC) !== 0],
    ['sh', shared && !readOnly],
    ['mr', true],
    ['mw', !special && !readOnly],
    ['me', !special],
    ['ms', shared],
    ['gd', stack],
    ['pf', special],
    ['lo', (flags & VM_LOCKED) !== 0],
    ['io', special],
    ['sr', (flags & VM_SEQ_READ) !== 0],
    ['rr', (flags & VM_RAND_READ) !== 0],
    ['dc', (flags & VM_DONTCOPY) !== 0],
    ['de', special || vdso],
    ['ac', (flags & VM_ACCOUNT) !== 0 && !shared],
    ['nr', (flags & VM_NORESERVE) !== 0],
    ['ht', (flags & VM_HUGETLB) !== 0],
    ['wf', (flags & VM_WIPEONFORK) !== 0],
    ['dd', special],
    ['sd', !stack],
    ['hg', (flags & VM_HUGEPAGE) !== 0],
    ['nh', (flags & VM_NOHUGEPAGE) !== 0],
  ];
  return mnemonics.flatMap(([name, has]) => (has ? [name] : [])).join(' ');
}
