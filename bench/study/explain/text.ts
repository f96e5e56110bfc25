import { bytes, columns, count, percent } from '../../../sim/contract/format.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { type Palette, PLAIN } from '../../report/text/summary.ts';
import { type AreaGroup, groupAreas, returnTexts } from './area-groups.ts';
import type { Explanation } from './explanation.ts';
import { groupText } from './verdict.ts';

const SHOWN_AREAS = 16;
const CLASSES = ['requested', 'slack', 'metadata', 'cached', 'pinned', 'returnable'] as const;
const LINE_WIDTH = 116;

/** An explanation for people: the verdict first, then what it rests on; `everyArea` lists areas of one kind one by one. */
export function explanationText(e: Explanation, palette: Palette = PLAIN, everyArea = false): string {
  const { sample, verdict } = e;
  const lines: string[] = [];
  const heading = (text: string) => lines.push('', palette.bold(text));
  lines.push(
    `${palette.bold(escapeLineStart(e.run.workload))} under ${palette.bold(e.run.allocator)}, after ${count(e.event)} events${sample.label === '(end)' ? '' : ` (${escapeLine(sample.label)})`}`,
    '',
    ...wrap(palette.bold(verdict.headline), '  '),
    ...verdict.sentences.flatMap((sentence) => wrap(sentence, '  ')),
  );

  heading('Where the resident bytes are');
  const groups: readonly AreaGroup[] = everyArea
    ? e.areas.map((area) => ({ ...area, count: 1 }))
    : groupAreas(e.areas).filter((g) => g.mappedBytes > 0);
  const shown = everyArea ? groups : groups.slice(0, SHOWN_AREAS);
  lines.push(
    ...columns(
      [
        ['', 'resident', ...CLASSES, 'live blocks', 'mapped'].map(palette.dim),
        ...shown.map((g) => [
          g.count > 1 ? `${g.name} × ${count(g.count)}` : g.name,
          bytes(g.residentBytes),
          ...CLASSES.map((name) => bytes(g.breakdown[name])),
          count(g.liveBlocks),
          bytes(g.mappedBytes),
        ]),
        [
          palette.bold('all'),
          bytes(sample.rssBytes),
          ...CLASSES.map((name) => bytes(sample.breakdown[name])),
          count(sample.liveBlocks),
          bytes(sample.vszBytes),
        ],
      ],
      'lr',
    ),
  );
  if (groups.length > shown.length) lines.push(palette.dim(`  and ${groups.length - shown.length} more kinds`));

  heading('Which live blocks keep more than they use');
  const pins = e.pinning.filter((g) => g.returnsBytes >= 2 * g.ownBytes);
  if (pins.length === 0) lines.push('  none');
  else {
    lines.push(
      ...columns(
        [
          ['returns', 'by', 'own', 'where', 'blocks'].map(palette.dim),
          ...pins.map((g) => [bytes(g.returnsBytes), g.by, bytes(g.ownBytes), g.area, groupText(g)]),
        ],
        'rlrll',
      ),
    );
  }
  const freeOnHeld = e.heldPages.reduce((sum, page) => sum + page.freeBytes, 0);
  lines.push(
    palette.dim(
      `  ${bytes(freeOnHeld)} of free bytes lie on pages that something else on the page keeps (${count(e.heldPages.length)} pages; all of them with --json)`,
    ),
  );

  heading('What a request to give back would return');
  for (const r of e.returns) {
    const from = returnTexts(r, e.areas);
    lines.push(
      ...wrap(
        `${r.call}: ${count(r.returnsBytes)} bytes${from.length > 0 ? `: ${from.slice(0, 6).join(', ')}${from.length > 6 ? ', …' : ''}` : ''}`,
        '  ',
      ),
    );
  }

  if (e.tunables) {
    heading('Thresholds now');
    lines.push(
      ...columns(
        Object.entries(e.tunables).map(([name, value]) => [name, count(value)]),
        'lr',
      ),
    );
    lines.push(palette.dim(`  ${count(e.tunableChanges.length)} changes while the program ran`));
  }

  if (e.whatIf.length > 0) {
    heading('What other settings would do (each was run)');
    lines.push(
      ...columns(
        [
          ['', 'resident', '', 'peak', 'mapped', 'faults', 'system calls'].map(palette.dim),
          ['as it is', bytes(sample.rssBytes), '', '', bytes(sample.vszBytes), count(sample.faults), count(callsOf(e))],
          ...e.whatIf.map((w) => [
            w.setting,
            bytes(w.rssBytes),
            sample.rssBytes === 0
              ? ''
              : `${w.rssBytes <= sample.rssBytes ? '' : '+'}${percent(w.rssBytes / sample.rssBytes - 1)}`,
            bytes(w.rssPeakBytes),
            bytes(w.vszBytes),
            count(w.faults),
            count(w.syscalls),
          ]),
        ],
        'lr',
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

const callsOf = (e: Explanation) => Object.values(e.sample.syscalls).reduce((sum, n) => sum + n, 0);

/** Breaks a sentence into lines at spaces. */
function wrap(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length > LINE_WIDTH && line !== indent) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
