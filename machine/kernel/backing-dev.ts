/** mm/backing-dev.c: for each group the pages of the disk's files that are its to write, and how fast that goes. */
import { assert } from '../../sim/contract/assert.ts';
import {
  type FpropGlobal,
  type FpropLocal,
  fpropAdd,
  fpropFraction,
  fpropNewPeriod,
  newFpropGlobal,
  newFpropLocal,
  PercpuCounter,
  propBatch,
} from './flex-proportions.ts';
import type { Kernel } from './kernel.ts';
import type { MemCgroup } from './mem-cgroup.ts';
import type { AddressSpace } from './mm-types.ts';
import { HZ, jiffiesOf } from './timer.ts';

/** INIT_BW: 100 MB a second, in pages, until something was written. */
const INITIAL_BANDWIDTH = 25_600;
/** VM_COMPLETIONS_PERIOD_LEN, in ticks. */
const COMPLETIONS_PERIOD = 3 * HZ;
/** BANDWIDTH_INTERVAL: how often bandwidths are reckoned anew, in ticks. */
export const BANDWIDTH_INTERVAL = HZ / 5;

/** wb_domain: what shares a limit of dirty pages, the machine or a group. */
export interface WbDomain {
  readonly completions: FpropGlobal;
  /** When the completions are aged next, in ticks; 0: there are none. */
  periodTime: number;
  /** It follows the threshold up at once and down slowly. */
  dirtyLimit: number;
  dirtyLimitStamp: number;
}

export const newWbDomain = (processors: number, dirtyLimit: number, stamp: number): WbDomain => ({
  completions: newFpropGlobal(processors),
  periodTime: 0,
  dirtyLimit,
  dirtyLimitStamp: stamp,
});

/** bdi_writeback of one group. Bandwidths are pages a second, stamps ticks. */
export interface BdiWriteback {
  readonly group: MemCgroup;
  readonly reclaimable: PercpuCounter;
  readonly dirtied: PercpuCounter;
  readonly written: PercpuCounter;
  /** Its part of what the machine and of what the group has written. */
  readonly completions: FpropLocal;
  readonly memcgCompletions: FpropLocal;
  writeBandwidth: number;
  avgWriteBandwidth: number;
  /** What each writer may make dirty a second; and the rate at which as much is written as made dirty. */
  dirtyRatelimit: number;
  balancedDirtyRatelimit: number;
  bandwidthStamp: number;
  dirtiedStamp: number;
  writtenStamp: number;
  /** bw_dwork: when the bandwidth is reckoned although nobody writes; 0: not asked for. */
  bandwidthDue: number;
  dirtyExceeded: boolean;
  /** last_old_flush, and when the flusher wakes by itself (dwork), in microseconds; 0: it does not. */
  lastOldFlush: number;
  wakeUs: number;
  /** What others want it to write; that all be written; and how it goes on, while it has work. */
  readonly works: { readonly pages: number; readonly foreign: ForeignDirty }[];
  startsAll: boolean;
  steps: Generator<void, void> | undefined;
}

/** memcg_cgwb_frn: a group has made pages dirty of a file that is another's to write. */
export interface ForeignDirty {
  readonly wb: BdiWriteback;
  /** When, in ticks; 0: it was told since. */
  at: number;
  inFlight: boolean;
}

export const foreignDirtyOf = (group: MemCgroup): ForeignDirty[] => madeFor(foreignRecords, group, () => []);

/** MEMCG_CGWB_FRN_CNT. */
const FOREIGN_RECORDS = 4;

/** mem_cgroup_track_foreign_dirty_slowpath. */
export function trackForeignDirty(k: Kernel, group: MemCgroup, wb: BdiWriteback): void {
  const now = jiffiesOf(k.nowUs);
  const records = foreignDirtyOf(group);
  const known = records.find((record) => record.wb === wb);
  if (known) {
    if (known.at < now - HZ || known.at === 0) known.at = now;
    return;
  }
  if (records.length === FOREIGN_RECORDS) {
    const oldest = records.filter(({ inFlight }) => !inFlight).sort((a, b) => a.at - b.at)[0];
    if (!oldest) return;
    records.splice(records.indexOf(oldest), 1);
  }
  records.push({ wb, at: now, inFlight: false });
}

const domains = new WeakMap<MemCgroup, WbDomain>();
const writebacks = new WeakMap<MemCgroup, BdiWriteback>();
const writebacksOfInodes = new WeakMap<AddressSpace, BdiWriteback>();
const foreignRecords = new WeakMap<MemCgroup, ForeignDirty[]>();

/** What is there of `key`, made where it is not. */
function madeFor<K extends object, V>(all: WeakMap<K, V>, key: K, make: () => V): V {
  const existing = all.get(key);
  if (existing !== undefined) return existing;
  const fresh = make();
  all.set(key, fresh);
  return fresh;
}

/** global_wb_domain, or the group's own (mem_cgroup_wb_domain). */
export const wbDomainOf = (k: Kernel, group: MemCgroup): WbDomain =>
  madeFor(domains, group, () => newWbDomain(k.profile.processors, 0, jiffiesOf(k.nowUs)));

/** wb_get_create. */
export const wbOfGroup = (k: Kernel, group: MemCgroup): BdiWriteback =>
  madeFor(writebacks, group, () => newWb(k, group));

/** The writebacks that there are. */
export function* writebacksOf(k: Kernel): Generator<BdiWriteback> {
  for (const group of k.groups) {
    const wb = writebacks.get(group);
    if (wb) yield wb;
  }
}

function newWb(k: Kernel, group: MemCgroup): BdiWriteback {
  const { processors } = k.profile;
  const counter = () => new PercpuCounter(propBatch(processors));
  return {
    group,
    reclaimable: counter(),
    dirtied: counter(),
    written: counter(),
    completions: newFpropLocal(processors),
    memcgCompletions: newFpropLocal(processors),
    writeBandwidth: INITIAL_BANDWIDTH,
    avgWriteBandwidth: INITIAL_BANDWIDTH,
    dirtyRatelimit: INITIAL_BANDWIDTH,
    balancedDirtyRatelimit: INITIAL_BANDWIDTH,
    bandwidthStamp: jiffiesOf(k.nowUs),
    dirtiedStamp: 0,
    writtenStamp: 0,
    bandwidthDue: 0,
    dirtyExceeded: false,
    lastOldFlush: jiffiesOf(k.nowUs),
    wakeUs: 0,
    works: [],
    startsAll: false,
    steps: undefined,
  };
}

/** wb_stat_error: how far off a counter of pages may be. */
export const wbStatError = (k: Kernel): number => k.profile.processors * propBatch(k.profile.processors);

/** wb_get_create_current. */
export const wbOfCurrent = (k: Kernel): BdiWriteback => wbOfGroup(k, k.current?.group ?? k.root);

/** inode_to_wb: that of the group whose page of the file was the first dirty one; of a group that is gone, the one above it. */
export function inodeToWb(k: Kernel, object: AddressSpace): BdiWriteback {
  const before = writebacksOfInodes.get(object);
  assert(before !== undefined, 'a file with dirty pages has a writeback');
  if (before.group.online) return before;
  let { group } = before;
  while (!group.online && group.parent) group = group.parent;
  const wb = wbOfGroup(k, group);
  switchWb(object, wb);
  return wb;
}

/** inode_attach_wb: the file is the group's to write, where it is nobody's yet. */
export function inodeAttachWb(k: Kernel, object: AddressSpace, group: MemCgroup): void {
  if (!writebacksOfInodes.has(object)) writebacksOfInodes.set(object, wbOfGroup(k, group));
}

/** inode_switch_wbs: the file's dirty pages are another's to write. */
export function switchWb(object: AddressSpace, wb: BdiWriteback): void {
  const before = writebacksOfInodes.get(object)!;
  writebacksOfInodes.set(object, wb);
  before.reclaimable.add(-object.dirty.size);
  wb.reclaimable.add(object.dirty.size);
  if (object.dirty.size > 0 && wb.wakeUs === 0) wb.wakeUs = before.wakeUs;
}

/** writeout_period: a timer that waits for the processor to be awake. */
function agePeriods(domain: WbDomain, now: number): void {
  if (domain.periodTime === 0 || now < domain.periodTime) return;
  const missed = Math.floor((now - domain.periodTime) / COMPLETIONS_PERIOD);
  const goesOn = fpropNewPeriod(domain.completions, missed + 1);
  domain.periodTime = goesOn ? domain.periodTime + (missed + 1) * COMPLETIONS_PERIOD : 0;
}

function countWriteout(domain: WbDomain, own: FpropLocal, now: number): void {
  agePeriods(domain, now);
  fpropAdd(domain.completions, own, 1);
  if (domain.periodTime === 0) domain.periodTime = now + COMPLETIONS_PERIOD;
}

/** wb_writeout_inc. */
export function wbWriteoutInc(k: Kernel, wb: BdiWriteback): void {
  const now = jiffiesOf(k.nowUs);
  wb.written.add(1);
  countWriteout(wbDomainOf(k, k.root), wb.completions, now);
  if (!wb.group.isRoot) countWriteout(wbDomainOf(k, wb.group), wb.memcgCompletions, now);
  if (wb.bandwidthDue === 0) wb.bandwidthDue = now + BANDWIDTH_INTERVAL;
}

/** wb_calc_thresh: the part of a threshold that is this writeback's, by what it has written lately. */
export function wbCalcThresh(k: Kernel, domain: WbDomain, own: FpropLocal, thresh: number): number {
  agePeriods(domain, jiffiesOf(k.nowUs));
  const { numerator, denominator } = fpropFraction(domain.completions, own);
  return Math.min(thresh, Math.floor((thresh * numerator) / denominator));
}

/** wb_update_write_bandwidth. */
function updateWriteBandwidth(wb: BdiWriteback, elapsed: number, written: number): void {
  const period = 1024;
  const pages = Math.max(0, written - wb.writtenStamp) * HZ;
  const old = wb.writeBandwidth;
  let avg = wb.avgWriteBandwidth;
  if (elapsed > period) {
    wb.writeBandwidth = Math.floor(pages / elapsed);
    wb.avgWriteBandwidth = Math.max(1, wb.writeBandwidth);
    return;
  }
  const bandwidth = Math.floor((pages + old * (period - elapsed)) / period);
  if (avg > old && old >= bandwidth) avg -= (avg - old) >> 3;
  if (avg < old && old <= bandwidth) avg += (old - avg) >> 3;
  wb.writeBandwidth = bandwidth;
  wb.avgWriteBandwidth = Math.max(1, avg);
}

/** The end of __wb_update_bandwidth: how fast it was written, and from where it is counted next. */
export function wbStampBandwidth(wb: BdiWriteback, now: number): void {
  const written = wb.written.read();
  updateWriteBandwidth(wb, Math.max(1, now - wb.bandwidthStamp), written);
  wb.dirtiedStamp = wb.dirtied.read();
  wb.writtenStamp = written;
  wb.bandwidthStamp = now;
}

/** wb_update_bandwidth_workfn, if its time has come. */
export function wbBandwidthWork(wb: BdiWriteback, now: number): void {
  if (wb.bandwidthDue === 0 || now < wb.bandwidthDue) return;
  wbStampBandwidth(wb, wb.bandwidthDue);
  wb.bandwidthDue = 0;
}

/** wb_bandwidth_estimate_start, at the begin of do_writepages. */
export function wbBandwidthEstimateStart(wb: BdiWriteback, now: number): void {
  wbBandwidthWork(wb, now);
  if (now - wb.bandwidthStamp <= HZ) return;
  wb.dirtiedStamp = wb.dirtied.read();
  wb.writtenStamp = wb.written.read();
  wb.bandwidthStamp = now;
}
