import { sizeBytes } from '../../sim/contract/quantities.ts';
import { type Layout, residentPagesOf, sharedPagesOf, withCopies } from '../engine/layout.ts';
import type { FirstWrites } from '../pool/first-requests.ts';
import type { PoolFile } from '../scenario/scenario.ts';
import { asMasters, moveHeap } from './heap-pages.ts';
import type { MachineDriver } from './machine-driver.ts';
import { machinePath } from './machine-path.ts';

/** Region of a worker for what a request in its middle has beyond the heap's layout. */
const WITHIN = 'T';

/** … and for what its first requests have beside it. */
const FIRST = 'A';

/** What a worker is to have at a moment. */
export interface WorkerTarget {
  /** Changes where the process is another one. */
  readonly generation: number;
  readonly layout: Layout;
  readonly withinPages: number;
  /** Preloaded pages that the worker has written by now, each request some. */
  readonly ownPages: number;
  /** What it has written with its first requests. */
  readonly first: FirstWrites;
  /** Requests that the slot's processes have begun by now. */
  readonly begun: number;
}

interface Worker {
  generation: number;
  /** As it was played; and so with copies of what the program writes, which the process has. */
  played: Layout | undefined;
  heapPages: number;
  copiedPages: number;
  layout: Layout | undefined;
  withinPages: number;
  ownPages: number;
  firstPages: number;
  /** Of each shared region. */
  readonly seenBytes: number[];
}

/** A mapping that the master made for all. */
interface SharedRegion {
  readonly name: string;
  readonly bytes: number;
  usedBytes: number;
  readonly growsBytes: number;
  /** Share of what is used that a worker looks at. */
  readonly seen: number;
}

/** The master of a pool and its workers, as processes of the machine. */
export class PoolProcesses {
  readonly pool: PoolFile;
  private readonly driver: MachineDriver;
  private readonly workers = new Map<number, Worker>();
  private readonly shared: SharedRegion[];
  /** The heap that the master has when it forks, where it has one; the workers' is the same until they write. */
  private readonly forkedHeap: Layout | undefined;
  private readonly forkedPages: number;
  private readonly begun: number[] = [];

  constructor(pool: PoolFile, driver: MachineDriver, forkedHeap?: Layout) {
    this.pool = pool;
    this.driver = driver;
    this.forkedHeap = forkedHeap;
    this.forkedPages = forkedHeap ? residentPagesOf(forkedHeap) : 0;
    this.shared = pool.shared.map(({ size, used = 0, worker, grows }, i) => ({
      name: `S${i}`,
      bytes: sizeBytes(size)!,
      usedBytes: sizeBytes(used)!,
      growsBytes: sizeBytes(grows)!,
      seen: worker,
    }));
    this.startMaster();
  }

  nameOf(slot: number): string {
    return `${this.pool.name}-${slot + 1}`;
  }

  private get preloadPages(): number {
    return Math.ceil(sizeBytes(this.pool.preload?.size ?? 0)! / 4096);
  }

  private startMaster(): void {
    const { pool, driver } = this;
    const { name } = pool;
    driver.do(`new ${name}`);
    if (pool.group !== undefined) driver.do(`${name} into ${pool.group}`);
    pool.files.forEach((file, i) => {
      const size = sizeBytes(file.size)!;
      const path = machinePath(file.path);
      driver.makeFolders(name, path);
      driver.do(`${name} truncate ${path} ${size}`);
      driver.do(`${name} filemap F${i} ${path} ${size} private ro`);
      if (file.mapped > 0) driver.do(`${name} touch F${i} 0 ${Math.ceil(size * file.mapped)} read`);
    });
    for (const { name: region, bytes, usedBytes } of this.shared) {
      driver.do(`${name} mmap ${region} ${bytes} shared`);
      if (usedBytes > 0) driver.do(`${name} touch ${region} 0 ${usedBytes}`);
    }
    if (this.forkedHeap) moveHeap(driver, name, undefined, asMasters(this.forkedHeap));
    if (pool.preload) {
      if (driver.ask(name, 'what it preloads', `${name} mmap P ${sizeBytes(pool.preload.size)} private`))
        driver.do(`${name} touch P 0 ${sizeBytes(pool.preload.size)}`);
    }
  }

  private startWorker(slot: number): Worker | undefined {
    const { pool, driver } = this;
    const name = this.nameOf(slot);
    if (!driver.ask(pool.name, 'the fork of a worker', `${pool.name} fork ${name}`)) return undefined;
    if (pool.oom_score_adj !== 0) driver.do(`${name} oom_score_adj ${pool.oom_score_adj}`);
    pool.files.forEach((file, i) => {
      if (file.mapped > 0) driver.do(`${name} touch F${i} 0 ${Math.ceil(sizeBytes(file.size)! * file.mapped)} read`);
    });
    const { anonymous, threads, sockets, files } = pool.worker;
    if (sizeBytes(anonymous)! > 0) {
      if (driver.ask(name, 'its memory', `${name} mmap W ${sizeBytes(anonymous)} private`))
        driver.do(`${name} touch W 0 ${sizeBytes(anonymous)}`);
    }
    if (threads > 1) driver.do(`${name} threads ${threads - 1}`);
    if (sockets > 0) driver.do(`${name} sockets ${Math.ceil(sockets / 2)}`);
    if (files > 0) driver.do(`${name} fds ${files}`);
    return {
      generation: -1,
      played: this.forkedHeap,
      heapPages: this.forkedPages,
      copiedPages: 0,
      layout: this.forkedHeap,
      withinPages: 0,
      ownPages: 0,
      firstPages: 0,
      seenBytes: this.shared.map(() => 0),
    };
  }

  /** Brings the slot's process to what it is to have; undefined where there is to be none. */
  bring(slot: number, target: WorkerTarget | undefined): void {
    const name = this.nameOf(slot);
    let worker = this.workers.get(slot);
    if (worker && (!target || worker.generation !== target.generation)) {
      this.driver.end(name);
      this.workers.delete(slot);
      worker = undefined;
    }
    if (!target || !this.driver.isAlive(this.pool.name)) return;
    if (!worker) {
      worker = this.startWorker(slot);
      if (!worker) return;
      worker.generation = target.generation;
      this.workers.set(slot, worker);
    }
    if (!this.driver.isAlive(name)) return;
    this.setWithin(slot, Math.min(worker.withinPages, target.withinPages));
    const { first } = target;
    if (worker.played !== target.layout || worker.copiedPages !== first.copiedPages) {
      const layout = withCopies(target.layout, first.copiedPages);
      moveHeap(this.driver, name, worker.layout, layout);
      worker.layout = layout;
      if (worker.played !== target.layout) worker.heapPages = residentPagesOf(target.layout);
      worker.played = target.layout;
      worker.copiedPages = first.copiedPages;
    }
    const beyondHeap = Math.max(0, first.copiedPages - sharedPagesOf(target.layout));
    const own = Math.min(this.preloadPages, target.ownPages + beyondHeap);
    if (own > worker.ownPages)
      this.driver.do(`${name} touch P ${worker.ownPages * 4096} ${(own - worker.ownPages) * 4096}`);
    worker.ownPages = Math.max(worker.ownPages, own);
    this.growFirst(name, worker, first.anonymousPages);
    this.share(slot, worker, target.begun);
    this.setWithin(slot, target.withinPages);
  }

  private growFirst(name: string, worker: Worker, pages: number): void {
    const more = (pages - worker.firstPages) * 4096;
    if (more <= 0) return;
    const from = worker.firstPages * 4096;
    if (this.driver.ask(name, 'its memory', `${name} mmap ${FIRST} ${more} private shift=${from}`))
      this.driver.do(`${name} touch ${FIRST} ${from} ${more}`);
    worker.firstPages = pages;
  }

  /** What the slot's requests have added to the shared regions, and what its process looks at there. */
  private share(slot: number, worker: Worker, begun: number): void {
    const more = begun - (this.begun[slot] ?? 0);
    this.begun[slot] = begun;
    const name = this.nameOf(slot);
    this.shared.forEach((region, i) => {
      const added = Math.min(region.bytes - region.usedBytes, more * region.growsBytes);
      if (added > 0) this.driver.do(`${name} touch ${region.name} ${region.usedBytes} ${added}`);
      region.usedBytes += Math.max(0, added);
      const from = worker.seenBytes[i]!;
      const to = Math.floor(region.usedBytes * region.seen);
      if (to > from) this.driver.do(`${name} touch ${region.name} ${from} ${to - from} read`);
      worker.seenBytes[i] = Math.max(from, to);
    });
  }

  has(slot: number): boolean {
    return this.workers.has(slot);
  }

  /** What requests in progress have beyond the heaps' layouts. */
  get inProgressPages(): number {
    let pages = 0;
    for (const { withinPages } of this.workers.values()) pages += withinPages;
    return pages;
  }

  /** What a request needs whose heap comes to so much: beyond the process's, or with all that a process begins with. */
  needed(slot: number, peakPages: number): number {
    const worker = this.workers.get(slot);
    if (worker) return Math.max(0, peakPages - worker.heapPages);
    if (!this.driver.isAlive(this.pool.name)) return 0;
    return Math.ceil(sizeBytes(this.pool.worker.anonymous)! / 4096) + Math.max(0, peakPages - this.forkedPages);
  }

  /** Requests that are not among these have ended. */
  endOthers(slots: ReadonlySet<number>): void {
    for (const slot of this.workers.keys()) if (!slots.has(slot)) this.setWithin(slot, 0);
  }

  /** Pages that the running request has beyond the heap's layout. */
  setWithin(slot: number, pages: number): void {
    const worker = this.workers.get(slot);
    const name = this.nameOf(slot);
    if (!worker || worker.withinPages === pages || !this.driver.isAlive(name)) return;
    const before = worker.withinPages;
    worker.withinPages = pages;
    if (pages < before) this.driver.do(`${name} munmap ${WITHIN} ${pages * 4096} ${(before - pages) * 4096}`);
    else {
      this.driver.do(`${name} mmap ${WITHIN} ${(pages - before) * 4096} private shift=${before * 4096}`);
      this.driver.do(`${name} touch ${WITHIN} ${before * 4096} ${(pages - before) * 4096}`);
    }
  }

  /** The process was killed. */
  forget(slot: number): void {
    this.workers.delete(slot);
  }
}
