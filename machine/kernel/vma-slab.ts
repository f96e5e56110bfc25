/** What a mapping costs the kernel: vm_area_struct, anon_vma and its chain, in bytes of Slab. */
import type { Kernel } from './kernel.ts';
import type { Vma } from './mm-types.ts';
import { chargeObjects, takeSlab, tryChargeObject } from './slab.ts';

/** vm_area_struct with the tree's nodes; anon_vma: 104, 39 in a page; anon_vma_chain: 64. */
const VMA_BYTES = 205;
const ANON_VMA_BYTES = 105;
const CHAIN_BYTES = 64;

/** Of a vm_area_struct, an anon_vma and an anon_vma_chain the group pays for 152, 104 and 64 bytes, and a pointer each. */
const VMA_CHARGE = 160;
const ANON_VMA_CHARGE = 112;
const CHAIN_CHARGE = 72;

function account(k: Kernel, vma: Vma, bytes: number): void {
  vma.slabBytes += bytes;
  takeSlab(k, bytes, false);
}

/** vm_area_alloc, for a mapping that can be refused. */
export function tryChargeVma(k: Kernel, vma: Vma): boolean {
  const group = vma.mm.group.id;
  if (!tryChargeObject(k, group, VMA_CHARGE)) return false;
  vma.chargedGroup = group;
  account(k, vma, VMA_BYTES);
  return true;
}

/** vm_area_alloc: charged to the group of whoever asks. */
export function chargeVma(k: Kernel, vma: Vma): void {
  vma.chargedGroup = vma.mm.group.id;
  account(k, vma, VMA_BYTES);
  chargeObjects(k, vma.chargedGroup, 1, VMA_CHARGE);
}

/** anon_vma_alloc and anon_vma_chain_alloc: an anon_vma of its own, at the end of a chain that had `inherited` links. */
export function chargeAnonVma(k: Kernel, vma: Vma, inherited: number): void {
  vma.chainLength = inherited + 1;
  vma.hasOwnAnonVma = true;
  account(k, vma, ANON_VMA_BYTES + vma.chainLength * CHAIN_BYTES);
  chargeObjects(k, vma.chargedGroup, inherited, CHAIN_CHARGE);
  chargeObjects(k, vma.chargedGroup, 1, ANON_VMA_CHARGE);
  chargeObjects(k, vma.chargedGroup, 1, CHAIN_CHARGE);
}

/** anon_vma_clone: the links of the other. */
export function chargeChain(k: Kernel, vma: Vma, links: number): void {
  vma.chainLength = links;
  account(k, vma, links * CHAIN_BYTES);
  chargeObjects(k, vma.chargedGroup, links, CHAIN_CHARGE);
}

/** vm_area_free and unlink_anon_vmas. */
export function unchargeVma(k: Kernel, vma: Vma): void {
  account(k, vma, -vma.slabBytes);
  chargeObjects(k, vma.chargedGroup, -vma.chainLength, CHAIN_CHARGE);
  if (vma.hasOwnAnonVma) chargeObjects(k, vma.chargedGroup, -1, ANON_VMA_CHARGE);
  chargeObjects(k, vma.chargedGroup, -1, VMA_CHARGE);
}
