import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { clientScript, inScript } from './client-script.ts';
import { escapeXml } from './escape.ts';
import type { PageData } from './page-data.ts';
import { PAGE_STYLE } from './page-style.ts';

const CLIENT_FILES = [
  'decode',
  'format',
  'theme',
  'time-view',
  'sections',
  'charts',
  'figures',
  'scroll-table',
  'tables',
  'block-detail',
  'cell-why',
  'places',
  'band-labels',
  'address-map',
  'map-pointer',
  'difference',
  'flame',
  'machine-timeline',
  'main',
];

/** The page as one text: its data, scripts and styles are in it, and it asks no network for anything. */
export function buildPage(data: PageData): string {
  const require = createRequire(import.meta.url);
  const uplot = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const uplotStyle = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const scripts = CLIENT_FILES.map(clientScript).join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>${escapeXml(data.title)} · allocsim</title>
<style>${uplotStyle}
${PAGE_STYLE}</style>
</head>
<body>
<main id="page"><noscript>The figures are drawn by scripts in this file; none is fetched.</noscript></main>
<script type="application/json" id="data">${JSON.stringify(data).replace(/</g, '\\u003c')}</script>
<script>${inScript(uplot)}</script>
<script>'use strict';
${inScript(scripts)}</script>
</body>
</html>
`;
}
