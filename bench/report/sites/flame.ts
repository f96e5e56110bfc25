import { bytes, percent } from '../../../sim/contract/format.ts';
import type { Bytes } from '../../../sim/contract/units.ts';
import { escapeXml } from '../escape.ts';
import { SITE_CLASSES, type SiteClass, type StackBytes } from './stacks.ts';

interface Node {
  readonly name: string;
  bytes: Bytes;
  readonly children: Map<string, Node>;
}

const TITLES: Readonly<Record<SiteClass, string>> = {
  held: 'Resident bytes of live blocks, by who allocated them',
  pinned: 'Free bytes that live blocks keep, by who allocated those',
  freed: 'Free resident bytes, by who had allocated what was freed there last',
};
/** Narrower boxes than this share are left out: nobody could see them. */
const NARROWEST = 0.0005;
const ROW = 20;

/** One page without anything from outside: a flame graph for each class, the outermost caller on top. */
export function flamePage(title: string, stacks: readonly StackBytes[]): string {
  const graphs = SITE_CLASSES.map((kind) => {
    const root: Node = { name: 'all', bytes: 0, children: new Map() };
    for (const s of stacks) if (s[kind] > 0) add(root, s.stack, s[kind]);
    return `<h2>${TITLES[kind]}</h2>\n${root.bytes === 0 ? '<p>None.</p>' : graph(root)}`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeXml(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeXml(title)}</h1>
<p id="said" role="status">Click or press Enter on a frame to enlarge it; on “all” to go back.</p>
${graphs.join('\n')}
<script>${SCRIPT}</script></body></html>
`;
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
      `<button style="left:${pc(left)};width:${pc(width)};top:${level * ROW}px;background:hsl(${hue(node.name)} 70% 78%)" data-l="${left.toFixed(6)}" data-w="${width.toFixed(6)}" title="${escapeXml(text)}">${escapeXml(node.name)}</button>`,
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
  'body{font:14px system-ui,sans-serif;margin:1rem;color-scheme:light dark}h2{font-size:1rem}.flame{position:relative;overflow:hidden}.flame button{position:absolute;box-sizing:border-box;height:19px;border:0;border-right:1px solid #fff8;padding:0 3px;font:12px/19px system-ui,sans-serif;color:#111;text-align:left;overflow:hidden;white-space:nowrap;cursor:pointer}.flame button:focus-visible{outline:2px solid #05f;outline-offset:-2px}';

const SCRIPT =
  "for(const f of document.querySelectorAll('.flame')){f.addEventListener('click',e=>{const b=e.target.closest('button');if(!b)return;const l=+b.dataset.l,w=+b.dataset.w;document.getElementById('said').textContent=b.title;for(const x of f.children){const L=+x.dataset.l,W=+x.dataset.w,a=Math.max(0,(L-l)/w),z=Math.min(1,(L+W-l)/w);x.hidden=z-a<=1e-9;x.style.left=100*a+'%';x.style.width=100*(z-a)+'%'}})}";
