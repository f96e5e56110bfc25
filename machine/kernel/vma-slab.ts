/** What a mapping costs the kernel: vm_area_struct, anon_vma and its chain, in bytes of Slab. */
import type { Kernel } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { slabAccount } from './slab.ts';

/** vm_area_struct: 200 bytes, 20 in a page. anon_vma: 104, 39 in a page. anon_vma_chain: 64. */
const VMA_BYTES = 205;
const ANON_VMA_BYTES = 105;
const CHAIN_BYTES = 64;

function account(k: Kernel, vma: Vma, bytes: number): void {
  vma.slabBytes += bytes;
  slabAccount(k, vma.chargedGroup, bytes, false);
}

/** vm_area_alloc: charged to the group of whoever asks. */
export function chargeVma(k: Kernel, vma: Vma): void {
  vma.chargedGroup = vma.mm.group.id;
  account(k, vma, VMA_BYTES);
}

/** anon_vma_alloc and anon_vma_chain_alloc: an anon_vma of its own, at the end of a chain that had `inherited` links. */
export function chargeAnonVma(k: Kernel, vma: Vma, inherited: number): void {
  vma.chainLength = inherited + 1;
  account(k, vma, ANON_VMA_BYTES + vma.chainLength * CHAIN_BYTES);
}

/** anon_vma_clone: the links of the other. */
export function chargeChain(k: Kernel, vma: Vma, links: number): void {
  vma.chainLength = links;
  account(k, vma, links * CHAIN_BYTES);
}

/** vm_area_free and unlink_anon_vmas. */
export function unchargeVma(k: Kernel, vma: Vma): void {
  account(k, vma, -vma.slabBytes);
}
