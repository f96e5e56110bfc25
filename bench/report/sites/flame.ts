import { bytes, percent } from '../../../sim/contract/format.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { clientScript, inScript } from '../client-script.ts';
import { escapeXml } from '../escape.ts';
import { shortFrame } from './frames.ts';
import { byLine, type LineBytes, sumOf } from './lines.ts';
import { diffStacks, SITE_CLASSES, type SiteClass, type StackBytes } from './stacks.ts';

interface Node {
  readonly name: string;
  bytes: Bytes;
  readonly children: Map<string, Node>;
}

const TITLES: Readonly<Record<SiteClass, string>> = {
  held: 'Held (requested and slack), by who allocated it',
  pinned: 'Pinned, by who allocated the blocks beside it',
  freed: 'Free (cached, pinned, returnable), by who had allocated what was freed there last',
};
const COLUMNS =
  '<b>held</b>: requested and slack, of blocks that the line allocated; <b>pins</b>: pinned, and goes only when these blocks go; <b>was freed</b>: cached, pinned or returnable, where a block of the line was the last.';
/** Narrower boxes than this share are left out: nobody could see them. */
const NARROWEST = 0.0005;
const ROW = 20;
const LINES = 20;

/** One page without anything from outside: tables and flame graphs by class. */
export function flamePage(title: string, stacks: readonly StackBytes[], about: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeXml(title)}</title><style>:root{color-scheme:light dark}body{font:14px system-ui,sans-serif;margin:1rem}h1{overflow-wrap:anywhere}h3{font-size:1rem}.scroll-x{overflow-x:auto}</style></head>
<body><h1>${escapeXml(title)}</h1>
${sitesMarkup(stacks, { about })}
<script>${inScript(clientScript('flame'))}
enlargeFlames(document);</script></body></html>
`;
}

interface SitesOptions {
  /** An earlier run, of which is said what differs. */
  readonly before?: readonly StackBytes[] | undefined;
  /** Which moment it is: completes "resident …". */
  readonly about?: string | undefined;
}

/**
 * A table by line of code and a flame graph for each class, the outermost caller on top. Frames can be enlarged by
 * bench/report/client/flame.ts.
 */
export function sitesMarkup(stacks: readonly StackBytes[], { before, about }: SitesOptions = {}): string {
  const graphs = SITE_CLASSES.map((kind) => {
    const root: Node = { name: 'all', bytes: 0, children: new Map() };
    for (const s of stacks) if (s[kind] > 0) add(root, s.stack, s[kind]);
    return `<h3>${TITLES[kind]}</h3>\n${root.bytes === 0 ? '<p>None.</p>' : graph(root)}`;
  });
  const changes =
    before && byLine(diffStacks(before, stacks)).filter((s) => SITE_CLASSES.some((name) => s[name] !== 0));
  return [
    `<style>${STYLE}</style>`,
    `<p class="dim">Resident ${escapeXml(about ?? 'at the end')}, in file order. ${COLUMNS}</p>`,
    table(byLine(stacks), sumOf(stacks), bytes),
    ...(changes ? ['<h3>What differs from the first run</h3>'] : []),
    ...(changes ? [changes.length > 0 ? table(changes, sumOf(changes), signed) : '<p>Nothing.</p>'] : []),
    '<p class="flame-said" role="status">Click or press Enter on a frame to enlarge it, on “all” to go back; arrow keys move.</p>',
    ...graphs,
  ].join('\n');
}

const signed = (n: Bytes): string => (n > 0 ? `+${bytes(n)}` : n < 0 ? `−${bytes(-n)}` : '0 B');

function table(
  lines: readonly LineBytes[],
  sum: Readonly<Record<SiteClass, Bytes>>,
  shown: (n: Bytes) => string,
): string {
  const row = (s: Readonly<Record<SiteClass, Bytes>>, who: string, title = '') =>
    `<tr>${SITE_CLASSES.map((name) => `<td>${shown(s[name])}</td>`).join('')}<td title="${escapeXml(title)}">${escapeXml(who)}</td></tr>`;
  const rest = lines.slice(LINES);
  return [
    '<div class="scroll-x"><table class="by-line"><thead><tr><th>held</th><th>pins</th><th>was freed</th><th>line of code</th></tr></thead><tbody>',
    ...lines.slice(0, LINES).map((s) => row(s, shortFrame(s.line, 72), s.line)),
    ...(rest.length > 0 ? [row(sumOf(rest), `${rest.length} more`)] : []),
    row(sum, 'all'),
    '</tbody></table></div>',
  ].join('\n');
}

function add(root: Node, stack: readonly string[], weight: Bytes): void {
  let node = root;
  node.bytes += weight;
  for (const name of stack) {
    let child = node.children.get(name);
    if (!child) {
      child = { name, bytes: 0, children: new Map() };
      node.children.set(name, child);
    }
    child.bytes += weight;
    node = child;
  }
}

/** Boxes as shares of the width, so that the page fits any; data attributes hold the shares for enlarging. */
function graph(root: Node): string {
  const boxes: string[] = [];
  let depth = 0;
  const visit = (node: Node, left: number, level: number): void => {
    const width = node.bytes / root.bytes;
    if (width < NARROWEST) return;
    depth = Math.max(depth, level + 1);
    const text = `${node.name}: ${bytes(node.bytes)}, ${percent(width)}`;
    boxes.push(
      `<button type="button" tabindex="${level === 0 ? 0 : -1}" style="left:${pc(left)};width:${pc(width)};top:${level * ROW}px;background:hsl(${hue(node.name)} 70% 78%)" data-l="${left.toFixed(12)}" data-w="${width.toFixed(12)}" title="${escapeXml(text)}">${escapeXml(shortFrame(node.name, 72))}</button>`,
    );
    let at = left;
    for (const child of [...node.children.values()].sort((x, y) => y.bytes - x.bytes || (x.name < y.name ? -1 : 1))) {
      visit(child, at, level + 1);
      at += child.bytes / root.bytes;
    }
  };
  visit(root, 0, 0);
  return `<div class="flame" style="height:${depth * ROW}px">${boxes.join('')}</div>`;
}

const pc = (share: number): string => `${(100 * share).toFixed(4)}%`;

/** Warm colours by name, the same in every graph. */
function hue(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) % 997;
  return 10 + (hash % 50);
}

const STYLE =
  '.by-line th,.by-line td{text-align:right!important;padding:2px 12px 2px 0;white-space:nowrap}.by-line th:last-child,.by-line td:last-child{text-align:left!important;width:99%;overflow-wrap:anywhere}@media(max-width:560px){.by-line th:last-child,.by-line td:last-child{white-space:normal;min-width:110px}}.flame{position:relative;overflow:hidden;max-width:100%}.flame button{position:absolute;box-sizing:border-box;height:19px;border:0;border-right:1px solid #fff8;border-radius:0;padding:0 3px;font:12px/19px system-ui,sans-serif;color:#111;text-align:left;overflow:hidden;white-space:nowrap;max-width:none;cursor:pointer}.flame button:focus-visible{outline:2px solid #05f;outline-offset:-2px}';
