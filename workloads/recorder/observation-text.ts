import { basename } from 'node:path';
import type { Observation, RecordedFacts } from '../../sim/contract/event.ts';

/** A sample as native/observe.c writes it. */
export interface ObservationText {
  readonly label: string;
  /** Lines of /proc/PID/status that are amounts, in bytes. */
  readonly status: ReadonlyMap<string, number>;
  /** By name as written there: processor time of the process, what the recorder took of it, and how long the first thread waited for a processor; whether the process may have huge pages. */
  readonly times: ReadonlyMap<string, number>;
  readonly processName: string;
  /** By the kernel's thread id. */
  readonly threadNames: ReadonlyMap<number, string>;
  readonly mappings: readonly Mapping[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  /** What jemalloc was told beside its environment (native/conf.c). */
  readonly mallocConf: string;
}

export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly residentBytes: number;
  readonly anonymousBytes: number;
  /** '' for one without a name. */
  readonly name: string;
}

export function parseObservation(text: string): ObservationText {
  const status = new Map<string, number>();
  const times = new Map<string, number>();
  const threadNames = new Map<number, string>();
  const mappings: Mapping[] = [];
  const command: string[] = [];
  const environment: string[] = [];
  const lines = text.split('\n');
  let processName = '';
  let mallocConf = '';
  let section = '';
  for (const line of lines.slice(1)) {
    if (/^\[(status|threads|maps|command|environment|malloc_conf)\]$/.test(line)) {
      section = line;
    } else if (section === '[status]') {
      const amount = /^(\w+):\s+(\d+) kB$/.exec(line);
      const time = /^(CpuNs|OwnTicks|LookedNs|WaitedNs|THP_enabled):\s(\d+)$/.exec(line);
      if (amount) status.set(amount[1]!, Number(amount[2]) * 1024);
      else if (time) times.set(time[1]!, Number(time[2]));
      else if (line.startsWith('Name:')) processName = line.slice(5).trim();
    } else if (section === '[threads]') {
      const space = line.indexOf(' ');
      if (space > 0) threadNames.set(Number(line.slice(0, space)), line.slice(space + 1));
    } else if (section === '[maps]') {
      const mapping = parseMapping(line);
      if (mapping) mappings.push(mapping);
    } else if (line !== '' && section === '[command]') {
      command.push(line);
    } else if (line !== '' && section === '[environment]') {
      environment.push(line);
    } else if (line !== '' && section === '[malloc_conf]') {
      mallocConf = line;
    }
  }
  return { label: lines[0]!, status, times, processName, threadNames, mappings, command, environment, mallocConf };
}

function parseMapping(line: string): Mapping | undefined {
  const found = /^([\da-f]+) ([\da-f]+) (\d+) (\d+) ?(.*)$/.exec(line);
  if (!found) return undefined;
  return {
    start: Number.parseInt(found[1]!, 16),
    end: Number.parseInt(found[2]!, 16),
    residentBytes: Number(found[3]),
    anonymousBytes: Number(found[4]),
    name: found[5]!,
  };
}

const STATUS_NAMES = ['VmRSS', 'RssAnon', 'RssFile', 'RssShmem', 'VmSize', 'VmHWM'];

/**
 * Every resident byte of the process in one class; they add up to VmRSS but for what changed between two reads.
 *
 *   blocks     the mappings without a file in which recorded blocks lie: what a simulation stands for
 *   anonymous  other mappings without a file: stacks of threads, other allocators' memory
 *   stack      the main thread's
 *   data       pages of files that the process has written (or relocated): its own copies
 *   files      pages of programs, libraries and other files
 *   recorder   what only the recorder needs
 */
export function observedValues(
  { status, mappings }: ObservationText,
  holdsBlocks: (start: number, end: number) => boolean,
  isRecorder: (name: string) => boolean,
): Observation['values'] {
  const sums = { blocks: 0, anonymous: 0, stack: 0, data: 0, files: 0, recorder: 0 };
  for (const { start, end, residentBytes, anonymousBytes, name } of mappings) {
    if (isRecorder(name)) sums.recorder += residentBytes;
    else if (name.startsWith('/')) {
      sums.data += anonymousBytes;
      sums.files += residentBytes - anonymousBytes;
    } else if (name === '[stack]') sums.stack += residentBytes;
    else if (name === '[mapped]') sums.anonymous += residentBytes;
    else if (name.startsWith('[') && name !== '[heap]' && !name.startsWith('[anon')) sums.files += residentBytes;
    else if (holdsBlocks(start, end)) sums.blocks += residentBytes;
    else sums.anonymous += residentBytes;
  }
  const known = STATUS_NAMES.flatMap((name) => (status.has(name) ? [[name, status.get(name)!] as const] : []));
  const seen = Object.values(sums).reduce((total, bytes) => total + bytes, 0);
  const vmRss = status.get('VmRSS') ?? 0;
  // Of a process that was ending meanwhile the kernel says one thing first and another thing then.
  const isOnePicture = Math.abs(seen - vmRss) <= vmRss / 8;
  return isOnePicture ? [...known, ...Object.entries(sums)] : known;
}

/** Nanoseconds: the processor time of the process from its own look at its start, or from its fork, to now, and what of it was the recorder's. */
export function observedTimes(
  now: ObservationText,
  start: ObservationText | undefined,
  nsPerTick: number,
): Observation['values'] {
  if (!now.times.has('CpuNs')) return [];
  const since = (name: string) => (now.times.get(name) ?? 0) - (start?.times.get(name) ?? 0);
  const recorderNs = since('OwnTicks') * nsPerTick + since('LookedNs');
  return [
    ['cpuNs', since('CpuNs')],
    ['recorderNs', Math.round(recorderNs)],
  ];
}

/** Mappings at the beginning, summed by name, the largest first. */
export function summedMappings(
  mappings: readonly Mapping[],
  isRecorder: (name: string) => boolean,
): RecordedFacts['mappings'] {
  const sums = new Map<string, { bytes: number; residentBytes: number }>();
  for (const { start, end, residentBytes, name } of mappings) {
    if (isRecorder(name)) continue;
    const key = name === '' || name === '[mapped]' ? '[anonymous]' : name.startsWith('/') ? basename(name) : name;
    const sum = sums.get(key) ?? { bytes: 0, residentBytes: 0 };
    sum.bytes += end - start;
    sum.residentBytes += residentBytes;
    sums.set(key, sum);
  }
  return [...sums]
    .map(([name, sum]) => ({ ...sum, name }))
    .sort((one, other) => other.residentBytes - one.residentBytes || (one.name < other.name ? -1 : 1));
}

/** glibc up to 2.36 ends the value of each tunable in place (parse_tunables()): the kernel has the rest of them as strings of their own. */
function withWholeTunables(environment: readonly string[]): string[] {
  const whole: string[] = [];
  for (const line of environment) {
    const isRest = line.startsWith('glibc.') && whole.at(-1)?.startsWith('GLIBC_TUNABLES=');
    if (isRest) whole.push(`${whole.pop()}:${line}`);
    else whole.push(line);
  }
  return whole;
}

/** Names of settings that allocators read. */
const SETTINGS =
  /^(MALLOC_\w+|GLIBC_TUNABLES|LD_PRELOAD|USE_ZEND_ALLOC\w*|PYTHONMALLOC|(_RJEM_|JE_)?MALLOC_CONF|MIMALLOC_\w+|TCMALLOC_\w+)$/;

export function allocatorSettings(environment: readonly string[], library: string): RecordedFacts['environment'] {
  const settings: [string, string][] = [];
  for (const line of withWholeTunables(environment)) {
    const equals = line.indexOf('=');
    const name = line.slice(0, equals);
    if (equals <= 0 || !SETTINGS.test(name)) continue;
    const value =
      name === 'LD_PRELOAD'
        ? line
            .slice(equals + 1)
            .split(/[: ]/)
            .filter((path) => path !== '' && path !== library)
            .join(':')
        : line.slice(equals + 1);
    if (value !== '') settings.push([name, value]);
  }
  return settings.sort(([one], [other]) => (one < other ? -1 : 1));
}
