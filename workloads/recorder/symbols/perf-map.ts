import { readFileSync } from 'node:fs';
import type { Frame } from '../../../sim/contract/event.ts';
import { lowerBound } from './lower-bound.ts';

/** What an engine says of the code that it made at run time, where it was asked to; '' where it was not. */
export function readPerfMap(pid: number): string {
  try {
    return readFileSync(`/tmp/perf-${pid}.map`, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Frames by address. Lines are START SIZE NAME, in hexadecimal (Linux, tools/perf/Documentation/jit-interface.txt); of
 * several that have an address the last one counts: code is moved, and replaced.
 */
export function framesOfPerfMap(text: string, addresses: readonly number[]): Map<number, Frame> {
  const wanted = Float64Array.from(addresses).sort();
  const frames = new Map<number, Frame>();
  for (const line of text.split('\n').reverse()) {
    const [, from = '', size = '', name = ''] = /^(?:0x)?([0-9a-f]+) (?:0x)?([0-9a-f]+) (.+)$/i.exec(line) ?? [];
    const start = Number.parseInt(from, 16);
    const end = start + Number.parseInt(size, 16);
    for (let i = lowerBound(wanted, start); wanted[i]! < end; i++) {
      if (!frames.has(wanted[i]!)) frames.set(wanted[i]!, frameNamed(name));
    }
  }
  return frames;
}

/** V8 writes `JS:*name file:line:column`, CPython `py::name:file`. */
function frameNamed(text: string): Frame {
  const [, v8 = '', v8File = '', v8Line = ''] = /^[A-Z]\w+:[~^*+]?(\S*) (.+):(\d+):\d+$/.exec(text) ?? [];
  if (v8File !== '') return { functionName: v8 || '(anonymous)', file: v8File, line: Number(v8Line), module: '' };
  const [, python = '', pythonFile = ''] = /^py::(.+):([^:]+)$/.exec(text) ?? [];
  return { functionName: python || text, file: pythonFile, line: 0, module: '' };
}
