import { NUMBER_MAX, type RecordedFacts } from '../../../sim/contract/event.ts';
import { THREAD_ID_MAX, U32_MAX } from '../compiler/limits.ts';
import type { TraceCompiler } from '../compiler/trace-compiler.ts';
import { parseFrame } from '../header-lines.ts';
import type { Line } from './line.ts';

const HEADERS_2 =
  '%htrace, %touch, %name, %source, %command, %process, %env, %machine, %thread, %mapping, %frame or %site';
/** Lists may be so long. */
const FACTS_MAX = 1 << 20;

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
export type Facts = Writable<RecordedFacts>;

export function createFacts(): Facts {
  return { command: '', process: undefined, environment: [], machine: [], threadNames: [], mappings: [] };
}

/** A header of version 2, behind its key: what was known of the program, or a frame or site of its call stacks. */
export function readFact(line: Line, key: string, start: number, facts: Facts, compiler: TraceCompiler): void {
  switch (key) {
    case '%command':
      facts.command = line.escapedRest('the command');
      break;
    case '%process': {
      const pid = line.count(U32_MAX, 'a process number');
      facts.process = { pid, parent: line.count(U32_MAX, 'the parent’s process number') };
      line.endOfLine();
      break;
    }
    case '%env':
    case '%machine':
      (key === '%env' ? facts.environment : facts.machine).push([line.name('a name'), line.escapedRest('a value')]);
      break;
    case '%thread':
      facts.threadNames.push([line.count(THREAD_ID_MAX, 'a thread number'), line.escapedRest('a name')]);
      break;
    case '%mapping': {
      const bytes = line.count(NUMBER_MAX, 'bytes');
      const residentBytes = line.count(NUMBER_MAX, 'resident bytes');
      facts.mappings.push({ bytes, residentBytes, name: line.escapedRest('a name') });
      break;
    }
    case '%frame':
      readFrame(line, compiler);
      break;
    case '%site':
      readSite(line, compiler);
      break;
    default:
      line.fail('header-unknown', start, line.quoted(start), HEADERS_2);
  }
  if (factCount(facts) > FACTS_MAX) line.fail('header-value', start, `more than ${FACTS_MAX} such lines`, 'fewer');
}

function readFrame(line: Line, compiler: TraceCompiler): void {
  expectNext(line, compiler.frameCount + 1, 'frame');
  line.skipSpaces();
  const frame = parseFrame(line.rest());
  const expected = 'FUNCTION, or with tabs FUNCTION FILE:LINE MODULE';
  compiler.addFrame(frame ?? line.fail('header-value', line.at, line.quoted(line.at, line.end), expected));
}

function readSite(line: Line, compiler: TraceCompiler): void {
  expectNext(line, compiler.siteCount + 1, 'site');
  const parent = line.count(compiler.siteCount, 'the calling site, one from above or 0');
  const frame = line.count(compiler.frameCount, 'a frame from above');
  if (frame === 0) line.fail('header-value', line.fieldStart, '0', 'a frame from above');
  line.endOfLine();
  compiler.addSite(parent, frame);
}

function expectNext(line: Line, expected: number, what: string): void {
  const given = line.count(U32_MAX, `a ${what} number`);
  if (given === expected) return;
  line.fail('header-value', line.fieldStart, `${what} ${given}`, `${expected}: they are numbered from 1 in order`);
}

function factCount({ environment, machine, threadNames, mappings }: RecordedFacts): number {
  return environment.length + machine.length + threadNames.length + mappings.length;
}
