import { MARK_FAILED, MARK_UNWRITTEN, MARK_WIDE, OP_MARKED } from '../../../sim/contract/event.ts';
import { type CallSites, createCallSites } from '../call-sites.ts';
import { createMarksBuilder, type MarksBuilder } from '../marks.ts';
import type { EventColumns } from './event-columns.ts';
import { U32_MAX } from './limits.ts';
import type { Annotation } from './trace-compiler.ts';

/** What rows have beside their columns: marks and call sites, and what was said of the event that comes. */
export class Annotations {
  readonly marks: MarksBuilder = createMarksBuilder();
  readonly callSites: CallSites = createCallSites();
  /** Of the next event: flags of its mark, and its site. */
  flags = 0;
  site = 0;
  private readonly columns: EventColumns;

  constructor(columns: EventColumns) {
    this.columns = columns;
  }

  annotate({ site = 0, failed, unwritten }: Annotation): void {
    this.site = site;
    this.flags = (failed ? MARK_FAILED : 0) | (unwritten ? MARK_UNWRITTEN : 0);
  }

  forget(): void {
    this.site = 0;
    this.flags = 0;
  }

  /** Whether the event that comes has no annotation and no large number, and so neither mark nor site. */
  isPlain(largest: number): boolean {
    return largest <= U32_MAX && this.flags === 0 && this.site === 0;
  }

  /** A row with arguments of any size and what was said beforehand; `flags` are those of the mark. */
  emit(op: number, t: number, s: number, first: number, second: number, flags: number): void {
    const row = this.columns.length;
    const marked = flags | (Math.max(first, second) > U32_MAX ? MARK_WIDE : 0);
    if (marked !== 0) this.marks.add(row, op, marked, first, second);
    if (this.site !== 0) this.callSites.set(row, this.site);
    this.forget();
    const word = marked === 0 ? op : op | OP_MARKED;
    this.columns.emit(word, t, s, Math.min(first, U32_MAX), Math.min(second, U32_MAX));
  }
}
