import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type fc from 'fast-check';
import { UserError } from '../../sim/contract/assert.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { createAddressTrace } from '../../workloads/import/address-trace.ts';
import { IMPORTERS } from '../../workloads/import/index.ts';
import { linesOf } from '../../workloads/import/lines.ts';
import { createHtbInput } from '../../workloads/trace/binary.ts';
import { encodeHtb } from '../../workloads/trace/binary-writer.ts';
import { problemOf } from '../../workloads/trace/consistency/problem.ts';
import { createTraceParser } from '../../workloads/trace/text/parser.ts';
import type { Violation } from '../../workloads/trace/text/violation.ts';
import { formatTrace } from '../../workloads/trace/writer.ts';
import { mutatedHtb } from './htb-mutations.ts';
import { mutated } from './mutations.ts';
import { type Outcome, outcome, readsAsLong, same } from './outcome.ts';

/**
 * What is fed with broken inputs. `check` throws where an input does harm: any error that is no UserError, a result that
 * is not what a trace can be, another meaning when it comes in other pieces.
 */
export interface FuzzTarget {
  readonly name: string;
  readonly inputs: fc.Arbitrary<Uint8Array>;
  readonly check: (input: Uint8Array) => void | Promise<void>;
}

const CORPUS = new URL('./corpus/', import.meta.url);

function corpus(ending: string): Uint8Array[] {
  return readdirSync(CORPUS)
    .filter((name) => name.endsWith(ending))
    .sort()
    .map((name) => readFileSync(new URL(name, CORPUS)));
}

function isSound(events: EventBuffer): void {
  const problem = problemOf(events);
  if (problem !== undefined) throw new Error(`a buffer with a problem: ${problem}`);
}

/** What has been read can be written in both forms, and comes back. */
function comesBack(events: EventBuffer): void {
  const text = Buffer.concat([...formatTrace(events)]);
  const again = outcome(createTraceParser({ source: 'again' }), text, text.length);
  if ('refusal' in again) throw new Error(`what was written is refused: ${again.refusal}`);
  const bytes = Buffer.concat([...encodeHtb(events)]);
  same({ events }, outcome(createHtbInput('htb'), bytes, bytes.length));
}

function checkText(bytes: Uint8Array): void {
  const violations: Violation[] = [];
  const strict = outcome(createTraceParser({ source: 'T' }), bytes, bytes.length + 1);
  same(strict, outcome(createTraceParser({ source: 'T' }), bytes, 1));
  same(strict, outcome(createTraceParser({ source: 'T' }), bytes, 7));
  readsAsLong(bytes, bytes.length + 1);
  const lenient = outcome(createTraceParser({ onViolation: (v) => violations.push(v) }), bytes, bytes.length + 1);
  for (const each of [strict, lenient]) {
    if (!('events' in each)) continue;
    isSound(each.events);
    comesBack(each.events);
  }
  if ('events' in strict && violations.length > 0) throw new Error('lenient finds what strict does not');
}

function checkHtb(bytes: Uint8Array): void {
  const whole = outcome(createHtbInput('B'), bytes, bytes.length + 1);
  same(whole, outcome(createHtbInput('B'), bytes, 3));
  if ('refusal' in whole) return;
  isSound(whole.events);
  comesBack(whole.events);
}

async function checkImport(bytes: Uint8Array): Promise<void> {
  const importer = IMPORTERS.find(({ begins }) => begins(Buffer.from(bytes).toString().split('\n')[0]!));
  const read = async (piece: number): Promise<Outcome> => {
    let number = 0;
    const place = () => `log:${number}`;
    const trace = createAddressTrace({ name: 'log', source: '', quantumNs: 1000, place });
    const importLine = importer!.create(trace);
    const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, i) =>
      bytes.slice(i * piece, (i + 1) * piece),
    );
    try {
      for await (const line of linesOf(Readable.from(pieces), 'log')) {
        number++;
        importLine(line, place());
      }
      return { events: trace.finish().events };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { refusal: error.message };
    }
  };
  const whole = await read(bytes.length + 1);
  same(whole, await read(5));
  if ('refusal' in whole) return;
  isSound(whole.events);
  comesBack(whole.events);
}

export const INPUT_TARGETS: readonly FuzzTarget[] = [
  { name: 'text', inputs: mutated(corpus('.htrace')), check: checkText },
  { name: 'htb', inputs: mutated(corpus('.htb')), check: checkHtb },
  { name: 'htb with right checksums', inputs: mutatedHtb(corpus('.htb')), check: checkHtb },
  { name: 'logs of other tools', inputs: mutated(corpus('.log')), check: checkImport },
];
