import fc from 'fast-check';

/** One draw; what it becomes depends on what is live by then, so that every list of draws is a trace that keeps the rules. */
interface Draw {
  readonly kind: number;
  readonly thread: number;
  readonly object: number;
  readonly size: number;
}

/** Thread numbers and object ids of every range: dense, sparse, at the limits. */
const THREADS = [0, 1, 2, 3, 70000, 4294967294] as const;
const OBJECTS = [0, 1, 2, 3, 7, 65535, 65536, 1 << 20, 33554431, 33554432, 99999999, 4294967295] as const;
const SIZES = [0, 1, 24, 25, 1032, 4096, 30720, 131072, 66355200, 999999999, 1000000000, 4294967295] as const;

const draw: fc.Arbitrary<Draw> = fc.record({
  kind: fc.nat(99),
  thread: fc.nat(THREADS.length - 1),
  object: fc.nat(OBJECTS.length - 1),
  size: fc.nat(SIZES.length - 1),
});

/** Lines of a valid trace, without headers. */
export const traceLines: fc.Arbitrary<string[]> = fc.array(draw, { maxLength: 120 }).map((draws) => {
  const live = new Map<number, 'malloc' | { request: number }>();
  const lines: string[] = [];
  for (const { kind, thread, object, size } of draws) {
    const t = THREADS[thread]!;
    const o = OBJECTS[object]!;
    const bytes = SIZES[size]!;
    const state = live.get(o);
    const e = state !== undefined && state !== 'malloc' ? 'e' : '';
    if (kind < 3) lines.push(`+ ${bytes * 1000}`);
    else if (kind < 6) lines.push(`= label ${size}`);
    else if (kind < 8) lines.push(`tb ${t}`);
    else if (kind < 14) lines.push(`te ${t}`);
    else if (kind < 16) lines.push(`eb ${t}`);
    else if (kind < 20) {
      lines.push(`ee ${t}`);
      for (const [id, block] of live) if (block !== 'malloc' && block.request === t) live.delete(id);
    } else if (kind < 22) lines.push(`trim ${t} ${bytes}`);
    else if (state === undefined) {
      const forms = [
        `m ${t} ${o} ${bytes}`,
        `r ${t} ${o} ${bytes}`,
        `c ${t} ${o} 3 ${Math.floor(bytes / 3)}`,
        `a ${t} ${o} ${2 ** (kind % 13)} ${bytes}`,
        `em ${t} ${o} ${bytes}`,
        `er ${t} ${o} ${bytes}`,
        `ec ${t} ${o} ${Math.floor(bytes / 2)} 2`,
      ];
      const form = kind % forms.length;
      lines.push(forms[form]!);
      live.set(o, form < 4 ? 'malloc' : { request: t });
    } else if (kind < 60) {
      lines.push(`${e}f ${t} ${o}`);
      live.delete(o);
    } else if (kind < 85) {
      lines.push(`${e}r ${t} ${o} ${bytes}`);
      if (bytes === 0) live.delete(o);
    } else lines.push(`w ${t} ${o} ${kind} ${bytes}`);
  }
  return lines;
});

/** Headers of version 2: facts, frames and three sites. */
export const HEADERS_2 = [
  '%htrace 2',
  '%command app',
  '%process 4711 1',
  '%env MALLOC_ARENA_MAX 2',
  '%env MALLOC_CONF a\\nb\\\\c',
  '%machine cpus 8',
  '%thread 3 worker thread',
  '%mapping 8192 4096 /usr/lib/libc.so.6',
  '%frame 1 main\tapp.c:12\tapp',
  '%frame 2 operator new(unsigned long)',
  '%frame 3 f\t\tlibf.so',
  '%site 1 0 1',
  '%site 2 1 2',
  '%site 3 1 3',
] as const;

const ALLOCATION = /^(m|c|r|a|em|ec|er) /;
const HUGE = 2 ** 40;

/** Blocks of requests that a fork leaves behind nothing releases: behind it no request ends that the lines took to have released some. */
const mayFork = (lines: readonly string[], at: number): boolean =>
  !lines.slice(0, at + 1).some((line) => /^e[mrc] /.test(line)) ||
  !lines.slice(at + 1).some((line) => line.startsWith('ee '));

/** Lines of version 2: what came with it is strewn over lines that keep the rules. */
export const traceLines2: fc.Arbitrary<string[]> = fc
  .tuple(traceLines, fc.infiniteStream(fc.nat(19)))
  .map(([lines, draws]) =>
    lines.flatMap((line, at) => {
      const drawn = draws.next().value;
      const extra: string[] = [];
      if (drawn === 0) extra.push('exit 2');
      else if (drawn === 1) extra.push('gc 1', 'es 1');
      else if (drawn === 2 && mayFork(lines, at)) extra.push('fork 3');
      else if (drawn === 3) extra.push(`m 1 4000000000 ${HUGE} !`, 'ec 0 4000000000 7 8 ! @1');
      else if (drawn === 4) extra.push('a 2 4000000000 64 100 ~ ! @3');
      else if (drawn === 5) extra.push(`m 1 4000000000 ${HUGE} ~`, `w 1 4000000000 ${HUGE - 10} 20`, 'f 2 4000000000');
      else if (drawn === 6) extra.push('m 1 4000000000 9', `r 1 4000000000 ${HUGE} !`, 'f 1 4000000000');
      else if (drawn === 7) extra.push(`c 1 4000000000 ${HUGE} ${HUGE}`, 'r 1 4000000000 5', 'f 1 4000000000');
      else if (drawn === 8)
        extra.push('ctl 3 arena.4096.purge', 'ctl 0 arena.7.dirty_decay_ms -1', 'ctl 1 background_thread 1');
      else if (drawn === 9) extra.push('tc 1 3');
      else if (drawn === 10) extra.push('tj 2 3 4294967295', 'tj 0 1 77');
      if (line.startsWith('= ')) return [line, ...(drawn % 2 ? ['! VmRSS 4096 RssAnon 100'] : []), ...extra];
      const mark = drawn % 3 === 0 && ALLOCATION.test(line) && !/^e?r .* 0$/.test(line) ? ' ~' : '';
      const site = drawn % 4 === 0 && ALLOCATION.test(line) ? ` @${1 + (drawn % 3)}` : '';
      return [line + mark + site, ...extra];
    }),
  );
