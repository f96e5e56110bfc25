import type { EventBuffer } from '../../../sim/contract/event.ts';
import { columns, count, counted } from '../../../sim/contract/format.ts';
import type { Difference } from '../../../sim/replay/compare-placements.ts';
import { formatTrace } from '../../../workloads/trace/writer.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { interruptedMark, PLAIN } from '../../report/text/palette.ts';
import type { Verification } from './verify.ts';

/** For people: what was compared, how much of it is the same, and the first differences. */
export function verificationText(v: Verification, events: EventBuffer): string {
  const { placements, samples, syscalls } = v;
  const of = (equal: number, total: number) => `${count(equal)} of ${count(total)}`;
  const lines = [
    `${escapeLineStart(v.workload)} on ${v.allocator} and on this machine's ${v.real}, lockstep, ${v.cpus} cpus, kernel rules of ${v.kernel}${interruptedMark(v.partial, PLAIN)}`,
    '',
    ...columns(
      [
        ['placements identical', of(placements.identical, placements.total)],
        ['placements agree', of(placements.agree, placements.total)],
        ['samples equal', of(samples.equal, samples.total), counted(samples.numbers, 'number')],
        'leftOut' in syscalls
          ? ['system calls', `left out: ${syscalls.leftOut}`]
          : ['system calls equal', of(syscalls.equal, syscalls.total)],
      ],
      'l',
    ),
  ];
  for (const remark of v.remarks) lines.push('', remark);
  if (v.abort) lines.push('', `The model's allocator aborts: ${v.abort}`);
  if (placements.first.length > 0) {
    const line = eventLines(events, new Set(placements.first.map((d) => d.event)));
    lines.push('', 'First placements that are not identical (objects as slots)');
    lines.push(
      ...columns(
        [
          ['event', 'line', 'model', 'real', ''],
          ...placements.first.map((d) => [
            `${d.event}`,
            line.get(d.event) ?? '',
            placeText(d.model),
            placeText(d.real),
            d.reason ?? 'agrees, but lies elsewhere',
          ]),
        ],
        'rl',
      ),
    );
  }
  for (const { label, event, differing } of samples.first) {
    lines.push('', `Sample '${escapeLine(label)}' (event ${event})`);
    const shown = differing
      .slice(0, 10)
      .map((d) => [d.name, `model ${valueText(d.model)}`, `real ${valueText(d.real)}`]);
    lines.push(...columns(shown, 'l'));
    if (differing.length > 10) lines.push(`  and ${differing.length - 10} more`);
  }
  if (!('leftOut' in syscalls) && syscalls.first) {
    const { index, event, model, real } = syscalls.first;
    lines.push('', `First system call that differs: number ${index}${event === undefined ? '' : `, event ${event}`}`);
    lines.push(`  model  ${model ?? 'none'}`, `  real   ${real ?? 'none'}`);
  }
  if (v.passed) lines.push('', 'The same.');
  else if (v.unrepeatable === null) lines.push('', 'Not the same.');
  else lines.push('', `The real one is not repeatable there: ${v.unrepeatable}. What differs above says nothing.`);
  return `${lines.join('\n')}\n`;
}

const valueText = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value));

const placeText = (place: Difference['model']) => (place ? `${place[0].toString(16)} ${place[1]}` : 'none');

/** The trace's lines for these events. */
function eventLines(events: EventBuffer, wanted: ReadonlySet<number>): Map<number, string> {
  const found = new Map<number, string>();
  const decoder = new TextDecoder();
  let row = 0;
  let rest = '';
  for (const chunk of formatTrace(events)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('%')) continue;
      if (wanted.has(row)) found.set(row, line);
      row++;
    }
    if (found.size === wanted.size) break;
  }
  return found;
}
