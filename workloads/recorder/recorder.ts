import { readFileSync } from 'node:fs';
import { constants, cpus, release } from 'node:os';
import { basename } from 'node:path';
import type { EventBuffer, RecordedFacts } from '../../sim/contract/event.ts';
import type { Oddities } from '../import/address-trace.ts';
import { endedBySignal } from './end-label.ts';
import { traceOfImage } from './image-trace.ts';
import { interpreterNote } from './interpreters.ts';
import type { LogPart } from './log.ts';
import { allocatorSettings, type ObservationText, summedMappings } from './observation-text.ts';
import { type RecordedImage, recordSession, type Session, type SessionOptions } from './session.ts';
import { createSymbolizer, type Symbolizer } from './symbols/symbolizer.ts';

export { recorderObstacle } from './build.ts';

export interface RecordOptions extends SessionOptions {
  readonly quantumNs: number;
  /** Sample points, spread evenly over a trace. */
  readonly samples: number;
  /** Which processes: a number, the name of a program, or `largest`; undefined for all. */
  readonly process: string | undefined;
  /** Keep the arguments of the commands too. */
  readonly withArguments: boolean;
}

/** A program that a process was, with its trace. */
export interface RecordedProcess {
  readonly pid: number;
  readonly ppid: number;
  /** The name of the program; with its arguments where they were asked for. */
  readonly command: string;
  /** 0 for the last program that the process was; the earlier ones, which it left by exec, count from 1. */
  readonly earlier: number;
  readonly events: EventBuffer;
  readonly oddities: Oddities;
  readonly threads: number;
  /** Allocations and frees of this process itself. */
  readonly calls: number;
  /** As a shell has it: 128 and the signal; undefined where nobody could tell. */
  readonly exit: number | undefined;
  readonly residentPeakBytes: number;
  /** Bytes of large blocks of which it is assumed what was written. */
  readonly assumedBytes: number;
  /** Of these, of blocks that were not looked at. */
  readonly unseenBytes: number;
  /** Bytes of zeros in huge pages, taken as not written. */
  readonly zeroBytes: number;
  readonly allocator: string;
  readonly isStarted: boolean;
}

export interface Recording {
  /** How the program ended, as a shell has it. */
  readonly exit: number;
  readonly ended: string;
  readonly cutBy: Session['cutBy'];
  readonly processes: number;
  /** Forks that allocated and then became another program; they have no trace of their own. */
  readonly leftOut: number;
  /** Those that `process` does not name, as NAME (PID). */
  readonly notKept: readonly string[];
  /** Words about what is not in the traces. */
  readonly notes: readonly string[];
}

/**
 * Runs a program to the end of all its processes, and makes a trace of what each did with malloc: `take` gets one after the
 * other, those of the program that was started first, then in the order of their start.
 */
export async function recordProgram(
  options: RecordOptions,
  take: (recorded: RecordedProcess) => Promise<void>,
): Promise<Recording> {
  return recordSession(options, async (session) => {
    const notes = new Set(
      session.unrecorded.map(({ path, why }) =>
        why.startsWith('~') ? `${path}: ${why.slice(1)}` : `${path} could not be recorded: ${why}`,
      ),
    );
    const kept = imagesToKeep(session, options.process);
    const symbolizer = createSymbolizer();
    const notKept: string[] = [];
    let processes = 0;
    for (const { image, earlier } of kept.images) {
      const recorded = traceOf(image, earlier, session, options, notes, symbolizer);
      if (!recorded) continue;
      if (!isWanted(recorded, options.process)) {
        notKept.push(`${recorded.command} (${recorded.pid})`);
        continue;
      }
      processes++;
      await take(recorded);
    }
    for (const pid of session.nameless) {
      notes.add(
        `process ${pid} of a PID namespace: its number on this host is not known; its trace has its calls, not what the kernel says of it`,
      );
    }
    for (const note of symbolizer.notes) notes.add(note);
    return {
      exit: exitOf(session.programStatus) ?? 128 + constants.signals.SIGKILL,
      ended: endOf(session.programStatus),
      cutBy: session.cutBy,
      processes,
      leftOut: kept.leftOut,
      notKept,
      notes: [...notes],
    };
  });
}

function isWanted({ pid, command }: RecordedProcess, which: string | undefined): boolean {
  return which === undefined || which === 'largest' || which === String(pid) || which === command.split(' ')[0];
}

interface KeptImage {
  readonly image: RecordedImage;
  readonly earlier: number;
}

/** A fork that became another program is only the way there. */
function imagesToKeep(
  { images, programPid }: Session,
  which: string | undefined,
): { images: readonly KeptImage[]; leftOut: number } {
  const byPid = new Map<number, RecordedImage[]>();
  for (const image of images) byPid.set(image.pid, [...(byPid.get(image.pid) ?? []), image]);
  const kept: KeptImage[] = [];
  let leftOut = 0;
  for (const of of byPid.values()) {
    of.sort((one, other) => one.number - other.number); // short-lived ones are not found in their order
    const programs = of.filter((image, i) => i === of.length - 1 || !image.isFork);
    leftOut += of.length - programs.length;
    const last = programs.length - 1;
    kept.push({ image: programs[last]!, earlier: 0 });
    programs.slice(0, last).forEach((image, i) => void kept.push({ image, earlier: i + 1 }));
  }
  const largest = Math.max(...kept.map(({ image }) => image.records));
  const wanted = kept.filter(({ image }) => which !== 'largest' || image.records === largest);
  wanted.sort((one, other) => Number(other.image.pid === programPid) - Number(one.image.pid === programPid));
  return { images: wanted, leftOut };
}

function traceOf(
  image: RecordedImage,
  earlier: number,
  session: Session,
  options: RecordOptions,
  notes: Set<string>,
  symbolizer: Symbolizer,
): RecordedProcess | undefined {
  const parts = partsOf(image, session);
  const pageBytes = 4096;
  let first: ObservationText | undefined;
  const trace = traceOfImage({
    name: nameOf(options.command[0]!),
    source: `recorded with LD_PRELOAD, ${process.platform} ${process.arch}`,
    quantumNs: options.quantumNs,
    samples: options.samples,
    nsPerTick: session.nsPerTick,
    pageBytes,
    parts,
    forkThread: image.parent?.thread ?? 0,
    clearsUpFirst: basename(image.allocator).includes('jemalloc'),
    signal: earlier === 0 ? signalOf(image.status) : undefined,
    symbolizer,
    isRecorder: session.isRecorder,
    facts: (start, threadNames) => {
      first = start;
      return factsOf(image, start, threadNames, session, options.withArguments);
    },
  });
  const command = first ? commandOf(first, options.withArguments) : nameOf(options.command[0]!);
  const isLast = earlier === 0;
  const isStarted = image.pid === session.programPid && isLast;
  if (trace.calls === 0 && image.hasOwnMalloc) {
    notes.add(`${command} could not be recorded: it brings a malloc of its own`);
    return undefined;
  }
  if (trace.calls === 0 && !isStarted) return undefined;
  const onSites = session.hasSites ? interpreterNote(command, first) : undefined;
  if (onSites) notes.add(onSites);
  noteInterpreter(command, image.zend, first, notes);
  return {
    pid: image.pid,
    ppid: image.ppid,
    command,
    earlier,
    events: trace.events,
    oddities: trace.oddities,
    threads: trace.threads,
    calls: trace.calls,
    exit: isLast ? (exitOf(image.status) ?? trace.exitStatus) : undefined,
    residentPeakBytes: trace.residentPeakBytes,
    assumedBytes: trace.assumedBytes,
    unseenBytes: trace.unseenBytes,
    zeroBytes: trace.zeroBytes,
    allocator: image.allocator,
    isStarted,
  };
}

/** The image's own log, behind what it shares with those that it comes from. */
function partsOf(image: RecordedImage, session: Session): LogPart[] {
  const parts: LogPart[] = [];
  let untilSlot = Number.POSITIVE_INFINITY;
  for (let at: RecordedImage | undefined = image; at; ) {
    parts.unshift({ path: session.logPath(at), ownPid: at.ownPid, startTicks: at.startTicks, untilSlot });
    const { parent }: RecordedImage = at;
    if (!parent) break;
    untilSlot = parent.slot;
    at = session.images.find(({ pid, number }) => pid === parent.pid && number === parent.number);
  }
  return parts;
}

const nameOf = (path: string) => basename(path).replace(/\s+/g, ' ');

function commandOf(start: ObservationText, withArguments: boolean): string {
  const [program = '', ...rest] = start.command;
  const name = program === '' ? start.processName : nameOf(program);
  return withArguments ? [name, ...rest].join(' ') : name;
}

function factsOf(
  image: RecordedImage,
  start: ObservationText | undefined,
  threadNames: RecordedFacts['threadNames'],
  session: Session,
  withArguments: boolean,
): RecordedFacts {
  return {
    command: start ? commandOf(start, withArguments) : '',
    process: { pid: image.pid, parent: image.ppid },
    environment: allocatorSettings(start?.environment ?? [], session.library),
    machine: [...machineFacts(image, start), ...confFact(image, start, session)],
    threadNames,
    mappings: summedMappings(start?.mappings ?? [], session.isRecorder),
  };
}

function machineFacts(
  { allocator, zend }: RecordedImage,
  start: ObservationText | undefined,
): RecordedFacts['machine'] {
  const facts: [string, string][] = [
    ['cpus', String(cpus().length)],
    ['kernel', release()],
  ];
  try {
    const thp = /\[(\w+)\]/.exec(readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8'));
    // prctl(PR_SET_THP_DISABLE), which whoever started the process may have called
    const isDisabled = start?.times.get('THP_enabled') === 0;
    if (thp) facts.push(['thp', isDisabled ? 'never' : thp[1]!]);
  } catch {
    // a kernel without huge pages
  }
  facts.push(['page', '4096']);
  if (allocator !== '') facts.push(['allocator', basename(allocator)]);
  if (zend !== '' && !zend.startsWith('!')) facts.push(['zend', zend]);
  return facts;
}

/** What jemalloc was told beside MALLOC_CONF, in the order in which it reads it. */
function confFact(
  { allocator }: RecordedImage,
  start: ObservationText | undefined,
  session: Session,
): RecordedFacts['machine'] {
  if (!basename(allocator).includes('jemalloc')) return [];
  const confs = [session.builtConf(allocator), start?.mallocConf ?? ''].filter((conf) => conf !== '');
  return confs.length > 0 ? [['malloc_conf', confs.join(',')]] : [];
}

function noteInterpreter(command: string, zend: string, start: ObservationText | undefined, notes: Set<string>): void {
  const name = command.split(' ')[0]!;
  const files = (pattern: RegExp) =>
    pattern.test(name) || (start?.mappings.some((mapping) => pattern.test(basename(mapping.name))) ?? false);
  if (files(/^(lib)?python\d/) && !start?.environment.some((line) => line.startsWith('PYTHONMALLOC='))) {
    notes.add(
      `${name}: Python's own heap serves small objects, which are not seen, from arenas: PYTHONMALLOC=malloc shows them`,
    );
  }
  if (files(/^(java|libjvm)/)) notes.add(`${name}: the Java heap is not seen: it does not come from malloc`);
  if (start?.environment.includes('USE_ZEND_ALLOC=0')) return; // its blocks come from malloc
  if (zend.startsWith('!')) {
    notes.add(`${name}: PHP's own heap is not seen: ${zend.slice(1)}`);
  } else if (zend === '' && files(/^(php|libphp)/)) {
    notes.add(
      `${name}: PHP's own heap is not seen, nor what it takes from the kernel: USE_ZEND_ALLOC=0 sends its blocks through malloc`,
    );
  }
}

/** undefined where no signal ended it, or nobody could tell. */
const signalOf = (status = 0): number | undefined => status & 127 || undefined;

/** As a shell has it, from what wait() says. */
function exitOf(status: number | undefined): number | undefined {
  if (status === undefined) return undefined;
  const signal = signalOf(status);
  return signal === undefined ? (status >> 8) & 255 : 128 + signal;
}

function endOf(status: number | undefined): string {
  if (status === undefined) return 'could not be ended';
  const signal = signalOf(status);
  return signal === undefined ? `exit code ${(status >> 8) & 255}` : endedBySignal(signal);
}
