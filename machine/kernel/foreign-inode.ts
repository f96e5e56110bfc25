/** fs/fs-writeback.c: a file that another group's pages are written of more than its own goes to that group's flusher. */
import { type BdiWriteback, inodeToWb, switchWb, wbOfGroup } from './backing-dev.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import type { AddressSpace } from './mm-types.ts';

/** WB_FRN_TIME_SHIFT: a second is 2^13. */
const SECOND = 8192;
/** WB_FRN_HIST_UNIT: a sixteenth of two seconds; of these the last sixteen are remembered, and more than half of them decide. */
const HIST_UNIT = 1024;
const HIST_MAX_SLOTS = 5;
const HIST_THR_SLOTS = 8;

/** writeback_control's part of it: pages of the owner, of the last winner, and of who may have most of them. */
export class CgroupOwners {
  private readonly owner: MemCgroup;
  private readonly last: MemCgroup | undefined;
  private candidate: MemCgroup | undefined;
  private ownPages = 0;
  private lastPages = 0;
  private candidatePages = 0;

  constructor(owner: MemCgroup, last: MemCgroup | undefined) {
    this.owner = owner;
    this.last = last;
  }

  /** wbc_account_cgroup_owner: the vote of Boyer and Moore. */
  account(group: MemCgroup): void {
    if (!group.online) return;
    if (group === this.owner) {
      this.ownPages++;
      return;
    }
    if (group === this.last) this.lastPages++;
    if (this.candidatePages === 0) this.candidate = group;
    this.candidatePages += group === this.candidate ? 1 : -1;
  }

  winner(): { group: MemCgroup; pages: number } {
    if (this.ownPages >= this.lastPages && this.ownPages >= this.candidatePages)
      return { group: this.owner, pages: this.ownPages };
    if (this.last && this.lastPages >= this.candidatePages) return { group: this.last, pages: this.lastPages };
    return { group: this.candidate!, pages: this.candidatePages };
  }
}

/** i_wb_frn_*: who made most of what was written of a file dirty the last time, how long that took on average, and who it was each time. */
interface ForeignHistory {
  winner: MemCgroup | undefined;
  avgTime: number;
  history: number;
}

const histories = new WeakMap<AddressSpace, ForeignHistory>();

export const newOwners = (object: AddressSpace, wb: BdiWriteback): CgroupOwners =>
  new CgroupOwners(wb.group, histories.get(object)?.winner);

const bits = (history: number): number => {
  let set = 0;
  for (let left = history; left > 0; left &= left - 1) set++;
  return set;
};

/** wbc_detach_inode. */
export function ownersDetach(k: Kernel, object: AddressSpace, wb: BdiWriteback, owners: CgroupOwners): void {
  const foreign = histories.get(object) ?? { winner: undefined, avgTime: 0, history: 0 };
  histories.set(object, foreign);
  const { group, pages } = owners.winner();
  const time = Math.ceil((pages * SECOND) / wb.avgWriteBandwidth);
  foreign.avgTime = foreign.avgTime === 0 ? time : foreign.avgTime + (time >> 3) - (foreign.avgTime >> 3);
  if (time >= foreign.avgTime >> 3) {
    const slots = Math.min(Math.ceil(time / HIST_UNIT), HIST_MAX_SLOTS);
    foreign.history = (foreign.history << slots) & 0xffff;
    if (group !== wb.group) foreign.history |= (1 << slots) - 1;
    if (bits(foreign.history) > HIST_THR_SLOTS && inodeToWb(k, object) === wb) switchWb(object, wbOfGroup(k, group));
  }
  foreign.winner = group;
  foreign.avgTime = Math.min(foreign.avgTime, 65535);
}
