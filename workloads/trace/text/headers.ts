import type { Touch } from '../../../sim/contract/event.ts';
import type { TraceCompiler, TraceHeader } from '../compiler/trace-compiler.ts';
import { createFacts, readFact } from './facts.ts';
import type { Line } from './line.ts';

const HEADERS = '%htrace, %touch, %name or %source';

/** The headers of a trace but %htrace itself, line by line. */
export interface HeaderReader {
  /** The line is read up to its key, which begins at `start`. */
  read(key: string, start: number, compiler: TraceCompiler): void;
  finish(): TraceHeader;
}

export function createHeaderReader(line: Line, version: 1 | 2): HeaderReader {
  let touch: Touch = 'full';
  let name = '';
  let source = '';
  const recorded = createFacts();

  function readTouch(): void {
    const value = line.word('full, first or none');
    if (value !== 'full' && value !== 'first' && value !== 'none') {
      line.fail('header-value', line.fieldStart, line.quoted(line.fieldStart), 'full, first or none');
    }
    line.endOfLine();
    touch = value;
  }

  return {
    read(key, start, compiler) {
      if (compiler.length > 0)
        line.fail('header-late', start, `the header ${key} behind an event`, 'headers before the events');
      if (key === '%touch') readTouch();
      else if (key === '%name') name = line.rest();
      else if (key === '%source') source = line.rest();
      else if (version === 1) line.fail('header-unknown', start, line.quoted(start), HEADERS);
      else readFact(line, key, start, recorded, compiler);
    },
    finish: () => ({ touch, name, source, recorded }),
  };
}
