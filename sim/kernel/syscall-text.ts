import { MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_HUGE_SHIFT, MAP_HUGETLB, MAP_NORESERVE, MAP_STACK } from './mmap-flags.ts';
import { PROT_NONE, PROT_READ, PROT_WRITE } from './vma.ts';

export function protText(prot: number): string {
  if (prot === PROT_NONE) return 'PROT_NONE';
  return prot === (PROT_READ | PROT_WRITE) ? 'PROT_READ|PROT_WRITE' : `0x${prot.toString(16)}`;
}

/** In the order in which strace names them. */
export function mapText(flags: number): string {
  const names = ['MAP_PRIVATE'];
  if (flags & MAP_FIXED) names.push('MAP_FIXED');
  names.push('MAP_ANONYMOUS');
  if (flags & MAP_NORESERVE) names.push('MAP_NORESERVE');
  if (flags & MAP_STACK) names.push('MAP_STACK');
  if (flags & MAP_HUGETLB) names.push('MAP_HUGETLB');
  if (flags & MAP_FIXED_NOREPLACE) names.push('MAP_FIXED_NOREPLACE');
  const hugeShift = (flags >>> MAP_HUGE_SHIFT) & 63; // the logarithm of the wished page size
  if (hugeShift !== 0) names.push(`${hugeShift}<<MAP_HUGE_SHIFT`);
  return names.join('|');
}
