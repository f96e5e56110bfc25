import { bytes, columns, count, counted } from '../../../sim/contract/format.ts';
import { escapeLine, escapeLineStart } from '../../report/escape.ts';
import { classBytes, className, isShown } from '../../report/names.ts';
import { shortFrame } from '../../report/sites/frames.ts';
import { columnBlocks, fold } from '../../report/text/fold.ts';
import { interruptedMark, type Palette, PLAIN } from '../../report/text/palette.ts';
import { processColumn } from '../../report/text/recorded-process.ts';
import type { Explanation } from './explanation.ts';
import { type AreaGroup, groupAreas, returnTexts } from './heap/area-groups.ts';
import { isMallocUnused } from './heap/return-text.ts';
import { siteLines } from './heap/site-text.ts';
import { originOf } from './heap/tunable-text.ts';
import { lookText } from './recorded/process-at.ts';
import { whatIfLines } from './settings/what-if-text.ts';
import { groupText } from './verdict.ts';

const SHOWN_AREAS = 16;
const CLASSES = ['requested', 'slack', 'metadata', 'cached', 'pinned', 'withinSlabs', 'returnable'] as const;

interface Shown {
  readonly palette: Palette;
  readonly width: number;
  readonly everyArea: boolean;
}

const wrapper = (width: number) => (text: string) => fold(`  ${text}`, width, '  ');

/** An explanation for people: the verdict and its answer first, then what they rest on; `everyArea` lists areas of one kind one by one. */
export function explanationText(
  e: Explanation,
  palette: Palette = PLAIN,
  { everyArea = false, width = 80 }: { readonly everyArea?: boolean; readonly width?: number } = {},
): string {
  const isEmpty = e.sample.rssBytes === 0 && e.areas.length === 0;
  const sections = isEmpty
    ? [headlines, recorded]
    : [headlines, areas, recorded, pinning, sites, returns, thresholds, settings, toPaste];
  return `${sections.flatMap((section) => section(e, { palette, width, everyArea })).join('\n')}\n`;
}

function headlines(e: Explanation, { palette, width }: Shown): string[] {
  const { sample, verdict } = e;
  const wrap = wrapper(width);
  const why = verdict.sentences.filter((sentence) => !verdict.answer.includes(sentence));
  const lines: string[] = [];
  lines.push(
    ...fold(
      `${palette.bold(escapeLineStart(e.run.workload))} under ${palette.bold(e.run.allocator)}, after ${counted(e.event, 'event')}${sample.label === '(end)' ? '' : ` (${escapeLine(sample.label)})`}${interruptedMark(e.partial, palette)}`,
      width,
      '  ',
    ),
    ...wrap(palette.dim(`judged ${e.moment.about}`)),
    '',
    ...wrap(palette.bold(verdict.headline)),
    ...verdict.answer.flatMap(wrap),
    ...(why.length > 0 ? ['', palette.bold('Why'), ...why.flatMap(wrap)] : []),
  );
  return lines;
}

function areas(e: Explanation, { palette, width, everyArea }: Shown): string[] {
  const { sample } = e;
  const lines: string[] = [];
  lines.push('', palette.bold('Where the resident bytes are'));
  const groups: readonly AreaGroup[] = everyArea
    ? e.areas.map((area) => ({ ...area, count: 1 }))
    : groupAreas(e.areas).filter((g) => g.mappedBytes > 0);
  if (groups.length === 0) return [...lines, '  nothing that is mapped is resident'];
  const classes = CLASSES.filter((key) => isShown(key, sample));
  const shown = everyArea ? groups : groups.slice(0, SHOWN_AREAS);
  lines.push(
    ...columnBlocks(
      [
        ['', 'resident', ...classes.map((key) => className(key, e.run.allocator)), 'live blocks', 'mapped'].map(
          palette.dim,
        ),
        ...shown.map((g) => [
          g.count > 1 ? `${g.name} × ${count(g.count)}` : g.name,
          bytes(g.residentBytes),
          ...classes.map((key) => bytes(classBytes(g, key))),
          count(g.liveBlocks),
          bytes(g.mappedBytes),
        ]),
        [
          palette.bold('all'),
          bytes(sample.rssBytes),
          ...classes.map((key) => bytes(classBytes(sample, key))),
          count(sample.liveBlocks),
          bytes(sample.vszBytes),
        ],
      ],
      width,
    ),
  );
  if (groups.length > shown.length) lines.push(palette.dim(`  and ${groups.length - shown.length} more kinds`));
  return lines;
}

function recorded({ process, processEventsLater }: Explanation, { palette, width }: Shown): string[] {
  if (!process) return [];
  const when =
    processEventsLater === 0 ? '' : `, ${lookText(processEventsLater)}: the recorder looked no nearer to the moment`;
  return [
    '',
    ...fold(palette.bold(`The recorded process at '${escapeLine(process.label)}'${when}`), width, '  '),
    ...processColumn(process, palette),
  ];
}

function pinning(e: Explanation, { palette, width }: Shown): string[] {
  const wrap = wrapper(width);
  const lines: string[] = [];
  lines.push('', palette.bold('Which live blocks keep more than they use'));
  const pins = e.pinning.filter((g) => g.returnsBytes >= 2 * g.ownBytes);
  if (pins.length === 0) lines.push('  none');
  else {
    const [head, ...rows] = columns(
      [
        ['returns', 'when', 'own', 'where'].map(palette.dim),
        ...pins.map((g) => [bytes(g.returnsBytes), g.by, bytes(g.ownBytes), g.area]),
      ],
      'rlrl',
    );
    const blocks = (g: Explanation['pinning'][number]) => fold(`    ${blocksText(g)}`, width, '    ');
    lines.push(head!, ...rows.flatMap((row, i) => [row, ...blocks(pins[i]!)]));
  }
  const freeOnHeld = e.heldPages.reduce((sum, page) => sum + page.freeBytes, 0);
  lines.push(
    ...wrap(
      palette.dim(
        `${bytes(freeOnHeld)} of free bytes lie on pages that something else on the page keeps (${counted(e.heldPages.length, 'page')}; each of them with --json)`,
      ),
    ),
  );
  return lines;
}

/** With the line of code, where the trace has call sites. */
const blocksText = (group: Explanation['pinning'][number]): string =>
  groupText(group) + (group.line === undefined ? '' : `, ${escapeLine(shortFrame(group.line))}`);

function sites(e: Explanation, { palette }: Shown): string[] {
  const lines: string[] = [];
  if (e.sites) lines.push('', ...siteLines(e.sites, palette));
  return lines;
}

function returns(e: Explanation, { palette, width }: Shown): string[] {
  if (isMallocUnused(e)) return [];
  const wrap = wrapper(width);
  const lines: string[] = [];
  lines.push('', palette.bold('What a request to give back would return'));
  for (const r of e.returns) {
    const from = returnTexts(r, e.areas);
    lines.push(
      ...wrap(
        `${r.call}: ${counted(r.returnsBytes, 'byte')}${from.length > 0 ? `: ${from.slice(0, 6).join(', ')}${from.length > 6 ? ', …' : ''}` : ''}`,
      ),
    );
  }
  return lines;
}

function thresholds(e: Explanation, { palette }: Shown): string[] {
  if (!e.tunables || isMallocUnused(e)) return [];
  return [
    '',
    palette.bold('Thresholds now'),
    ...columns(
      Object.entries(e.tunables).map(([name, value]) => [name, count(value), palette.dim(originOf(name, value, e))]),
      'lrl',
    ),
    palette.dim(`  ${counted(e.tunableChanges.length, 'change')} while the program ran`),
  ];
}

const settings = (e: Explanation, { palette, width }: Shown): string[] => whatIfLines(e, palette, width);

function toPaste({ verdict, run }: Explanation, { palette, width }: Shown): string[] {
  const { pastes, remedies } = verdict;
  const blocks = [
    ...pastes.map(({ lead, shell, systemd, dockerfile }) => ({
      lead,
      lines: [
        { place: 'shell', text: shell },
        { place: 'systemd, a drop-in of the service', text: `[Service]\n${systemd}` },
        { place: 'Dockerfile', text: dockerfile },
      ],
    })),
    ...(remedies.length > 0 ? [{ lead: '', lines: remedies }] : []),
  ];
  if (blocks.length === 0) return [];
  const late = pastes.length > 0 && run.allocator.startsWith('zendmm') ? TOO_LATE : [];
  return [
    '',
    palette.bold(pastes.length > 1 ? 'To paste, one of the two' : 'To paste'),
    ...blocks.flatMap(({ lead, lines }) => [
      ...(lead ? [`  ${lead}`] : []),
      ...lines.flatMap(({ place, text }) => [
        palette.dim(`  ${place}`),
        ...text.split('\n').map((line) => `    ${line}`),
      ]),
    ]),
    ...late.flatMap((text) => wrapper(width)(palette.dim(text))),
  ];
}

const TOO_LATE = [
  'Of php-fpm it must be the environment of the service: env[…] of a pool is set when malloc has begun.',
];
