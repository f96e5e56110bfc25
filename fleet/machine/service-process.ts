import { durationUs, sizeBytes } from '../../sim/contract/quantities.ts';
import type { ServiceFile } from '../scenario/scenario.ts';
import type { MachineDriver } from './machine-driver.ts';
import { machinePath } from './machine-path.ts';

/** Parts of a snapshot in which the parent's writes are made. */
const SNAPSHOT_PARTS = 8;

/** Something that happens to a service at a time. */
export interface ServiceEvent {
  readonly atUs: number;
  readonly what: 'step' | 'fork' | 'writes' | 'join';
  readonly number: number;
}

const pages = (size: string | number) => Math.ceil(sizeBytes(size)! / 4096);

/** A process that is no pool's: a server, a cache, a job. */
export class ServiceProcess {
  readonly service: ServiceFile;
  private readonly driver: MachineDriver;
  private readonly readAt = new Map<string, number>();
  private readonly writtenAt = new Map<string, number>();
  private grownBytes = 0;
  private tmpfsBytes = 0;
  private rewrittenAt = 0;
  /** In the running snapshot: pages that the child shared at first, and those that the parent has copied since. */
  private forkedPages = 0;
  private copiedPages = 0;

  constructor(service: ServiceFile, driver: MachineDriver) {
    this.service = service;
    this.driver = driver;
  }

  /** It comes to be, with all that it has from the start, in steps: that may be gigabytes. */
  *start(): Generator<void, void> {
    const { service, driver } = this;
    const { name, group, anonymous, shared, tmpfs, sockets, files, dentries, threads } = service;
    driver.do(`new ${name}`);
    if (group !== undefined) driver.do(`${name} into ${group}`);
    if (service.oom_score_adj !== 0) driver.do(`${name} oom_score_adj ${service.oom_score_adj}`);
    for (const [region, bytes, kind] of [
      ['A', sizeBytes(anonymous)!, 'private'],
      ['B', sizeBytes(shared)!, 'shared'],
    ] as const) {
      if (bytes === 0) continue;
      if (!driver.ask(name, `its ${kind} memory`, `${name} mmap ${region} ${bytes} ${kind}`)) {
        driver.end(name); // as a program that cannot start
        return;
      }
      yield* driver.steps(`${name} touch ${region} 0 ${bytes}`);
    }
    if (threads > 1) driver.do(`${name} threads ${threads - 1}`);
    if (sockets > 0) driver.do(`${name} sockets ${Math.ceil(sockets / 2)}`);
    if (files > 0) driver.do(`${name} fds ${files}`);
    if (dentries > 0) this.lookUp(dentries);
    if (sizeBytes(tmpfs)! > 0) this.growTmpfs(sizeBytes(tmpfs)!);
    for (const { path } of [...service.reads, ...service.writes]) driver.makeFolders(name, machinePath(path));
    for (const { path, size } of service.reads) driver.do(`${name} truncate ${machinePath(path)} ${sizeBytes(size)}`);
  }

  /** All that it does up to `endUs`, in the order of time; a step before the fork of the same time. */
  events(endUs: number): ServiceEvent[] {
    const { every, snapshot } = this.service;
    const list: ServiceEvent[] = [];
    const step = durationUs(every)!;
    if (this.hasSteps())
      for (let at = step, number = 1; at <= endUs; at += step, number++) list.push({ atUs: at, what: 'step', number });
    if (!snapshot) return list;
    const takes = durationUs(snapshot.takes)!;
    const period = durationUs(snapshot.every)!;
    for (let at = durationUs(snapshot.first)! || period, number = 1; at <= endUs; at += period, number++) {
      list.push({ atUs: at, what: 'fork', number });
      for (let part = 1; part <= SNAPSHOT_PARTS; part++)
        list.push({ atUs: at + Math.floor((takes * part) / SNAPSHOT_PARTS) - 1, what: 'writes', number });
      list.push({ atUs: at + takes, what: 'join', number });
    }
    return list.sort((x, y) => x.atUs - y.atUs);
  }

  private hasSteps(): boolean {
    const { grows, rewrites, tmpfs_grows, reads, writes, descriptors_grow } = this.service;
    return (
      sizeBytes(grows)! > 0 ||
      sizeBytes(rewrites)! > 0 ||
      sizeBytes(tmpfs_grows)! > 0 ||
      reads.length > 0 ||
      writes.length > 0 ||
      descriptors_grow > 0
    );
  }

  do({ what }: ServiceEvent): void {
    if (what === 'join') {
      // The child comes to its end whether its parent lives or not.
      if (this.driver.isAlive(this.childName)) this.driver.end(this.childName);
      return;
    }
    if (!this.driver.isAlive(this.service.name)) return;
    if (what === 'step') this.step();
    else if (what === 'fork') this.fork();
    else this.write();
  }

  private step(): void {
    const { service, driver } = this;
    const { name } = service;
    const grows = sizeBytes(service.grows)!;
    if (grows > 0 && driver.ask(name, 'more memory', `${name} brk +${grows}`)) {
      driver.do(`${name} touch heap ${this.grownBytes} ${grows}`);
      this.grownBytes += grows;
    }
    this.rewrite();
    if (sizeBytes(service.tmpfs_grows)! > 0) this.growTmpfs(sizeBytes(service.tmpfs_grows)!);
    for (const { path, size, per_step = size } of service.reads) {
      const length = sizeBytes(size)!;
      let left = sizeBytes(per_step)!;
      while (left > 0) {
        const at = this.readAt.get(path) ?? 0;
        const part = Math.min(left, length - at);
        driver.do(`${name} read ${machinePath(path)} ${at} ${part}`);
        this.readAt.set(path, (at + part) % length);
        left -= part;
      }
    }
    for (const { path, per_step, keep } of service.writes) {
      const at = this.writtenAt.get(path) ?? 0;
      const begin = at + sizeBytes(per_step)! > sizeBytes(keep)! ? 0 : at;
      driver.do(`${name} write ${machinePath(path)} ${begin} ${sizeBytes(per_step)}`);
      this.writtenAt.set(path, begin + sizeBytes(per_step)!);
    }
    if (service.descriptors_grow > 0) driver.do(`${name} fds ${service.descriptors_grow}`);
  }

  /** At even distances, each time one page further, so that every page has its turn. */
  private rewrite(): void {
    const all = pages(this.service.anonymous);
    const count = Math.min(all, pages(this.service.rewrites));
    if (count === 0) return;
    const stride = Math.floor(all / count);
    const first = this.rewrittenAt++ % stride;
    this.driver.do(`${this.service.name} touch A ${first * 4096} ${(all - first) * 4096} stride=${stride * 4096}`);
  }

  private growTmpfs(bytes: number): void {
    this.driver.do(`${this.service.name} write /dev/shm/${this.service.name} ${this.tmpfsBytes} ${bytes}`);
    this.tmpfsBytes += bytes;
  }

  /** Names that are not there, in a directory of its own. */
  private lookUp(count: number): void {
    const { name } = this.service;
    const folder = `/mnt/.${name}`;
    this.driver.makeFolders(name, `${folder}/none`);
    this.driver.do(`${name} dentries ${folder} ${count}`);
  }

  get childName(): string {
    return `${this.service.name}-snapshot`;
  }

  private fork(): void {
    const { anonymous, name } = this.service;
    this.forkedPages = pages(anonymous) + pages(this.grownBytes);
    this.copiedPages = 0;
    this.driver.ask(name, 'its fork for a snapshot', `${this.service.name} fork ${this.childName}`);
  }

  /** Forks for a snapshot where none is running, and writes all that it writes meanwhile. */
  beginSnapshot(): void {
    if (!this.service.snapshot || !this.driver.isAlive(this.service.name)) return;
    if (!this.driver.isAlive(this.childName)) this.fork();
    for (let part = 0; part < SNAPSHOT_PARTS; part++) this.write();
  }

  /** Writes at places drawn evenly hit pages that were copied before the more often the more have been. */
  private write(): void {
    if (!this.driver.isAlive(this.childName)) return;
    const { snapshot } = this.service;
    const all = this.forkedPages;
    if (all === 0) return;
    const drawn = (pages(snapshot!.writes) * durationUs(snapshot!.takes)!) / 1e6 / SNAPSHOT_PARTS;
    const copied = all * (1 - (1 - this.copiedPages / all) * Math.exp(-drawn / all));
    this.copy(Math.round(this.copiedPages), Math.min(all, Math.round(copied)));
    this.copiedPages = copied;
  }

  /** Of what it had at the start, then of what it has taken since. */
  private copy(from: number, to: number): void {
    const { anonymous, name } = this.service;
    const first = pages(anonymous);
    const touch = (region: string, start: number, end: number) => {
      if (end > start) this.driver.do(`${name} touch ${region} ${start * 4096} ${(end - start) * 4096}`);
    };
    touch('A', Math.min(from, first), Math.min(to, first));
    touch('heap', Math.max(from, first) - first, Math.max(to, first) - first);
  }
}
