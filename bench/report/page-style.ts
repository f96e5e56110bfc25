const LIGHT =
  '--bg: #f7f7f5; --fg: #1b1d1f; --dim: #595e64; --line: #d5d7d4; --panel: #fff; --accent: #0b5cad; --bad: #a8231b; --good: #17653a; color-scheme: light;';
const DARK =
  '--bg: #14161a; --fg: #e8e8e5; --dim: #a3a9b0; --line: #353a40; --panel: #1c1f24; --accent: #7cb7ff; --bad: #ff9a91; --good: #7bd88f; color-scheme: dark;';

/** Text keeps a contrast of 4.5 : 1 and more in both themes (test/report/contrast.test.ts). */
export const THEMES = { light: LIGHT, dark: DARK } as const;

export const PAGE_STYLE = `
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) { ${DARK} } }
:root[data-theme=dark] { ${DARK} }
* { box-sizing: border-box; } html { overflow-y: scroll; }
body { margin: 0; background: var(--bg); color: var(--fg); font: 14px/1.5 system-ui, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 16px; }
h1 { font-size: 20px; margin: 0; overflow-wrap: anywhere; } h1 .dim { font-weight: 400; }
h2 { font-size: 16px; margin: 26px 0 4px; } h3 { font-size: 14px; margin: 14px 0 6px; } p { margin: 4px 0; }
section > p { margin: 0 0 6px; } .run-name { font-size: 18px; } .choose { margin-top: 22px; }
header { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: center; justify-content: space-between; margin-bottom: 10px; }
header .keys { width: 100%; font-size: 12px; } header .bar { margin: 0; }
button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 5px; padding: 4px 10px; cursor: pointer; max-width: 100%; overflow-wrap: anywhere; }
button[aria-pressed=true] { border-color: var(--accent); color: var(--accent); font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bar { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0; }
.dim { color: var(--dim); } .empty { font-size: 13px; color: var(--dim); }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 10px; overflow: hidden; }
.verdict { border-left: 5px solid var(--accent); padding: 12px 16px; overflow-wrap: anywhere; }
.verdict.bad { border-left-color: var(--bad); } .verdict.good { border-left-color: var(--good); } .verdict .point { margin-top: 8px; }
.verdict .headline { font-size: 19px; line-height: 1.35; font-weight: 600; margin-bottom: 6px; }
code { font: 13px ui-monospace, monospace; background: var(--bg); border: 1px solid var(--line); border-radius: 4px; padding: 1px 5px; } code .word { display: inline-block; max-width: 100%; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 0 12px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th.long { white-space: normal; overflow-wrap: anywhere; min-width: 96px; vertical-align: bottom; } th:first-child, td:first-child { text-align: left; padding-left: 2px; } th { color: var(--dim); font-weight: 500; }
.best { color: var(--good); font-weight: 600; } .worst { color: var(--bad); }
.scroll { overflow: auto; --right: 0 0 transparent; --below: 0 0 transparent; box-shadow: var(--right), var(--below); }
.scroll.more-right { --right: inset -16px 0 10px -10px color-mix(in srgb, var(--fg) 30%, transparent); } .scroll.more-below { --below: inset 0 -16px 10px -10px color-mix(in srgb, var(--fg) 30%, transparent); }
.scroll thead th { position: sticky; top: 0; background: var(--panel); } .more { font-size: 12px; margin: 2px 0 0; text-align: right; }
#metrics td:first-child { white-space: normal; }
.section p { overflow-wrap: anywhere; } .section .scroll + p { margin-top: 8px; } .section table { width: auto; min-width: min(100%, 420px); } td.words { text-align: left; overflow-wrap: anywhere; white-space: normal; min-width: 150px; }
.switch { align-items: center; margin: 0; gap: 0; } .switch > span { margin-right: 8px; color: var(--dim); }
.switch button { border-radius: 5px 0 0 5px; } .switch button + button { border-radius: 0 5px 5px 0; margin-left: -1px; } .switch button[aria-pressed=true] { background: var(--accent); color: var(--panel); position: relative; }
.meter { display: inline-block; height: 9px; background: var(--accent); border-radius: 2px; vertical-align: middle; }
.facts td { text-align: left; width: 99%; white-space: normal; overflow-wrap: anywhere; } .facts td:first-child { width: 1%; white-space: nowrap; color: var(--dim); }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 2px; vertical-align: -1px; flex: none; }
.bar-stack { display: flex; height: 22px; border-radius: 3px; overflow: hidden; min-width: 2px; } .bar-stack > span { min-width: 0; flex-basis: 0; }
.composition { list-style: none; padding: 0; margin: 8px 0 0; } .composition li { display: flex; gap: 8px; align-items: baseline; padding: 2px 0; }
.composition .what { flex: 1; min-width: 0; } .composition .none { color: var(--dim); }
.number { font-variant-numeric: tabular-nums; text-align: right; min-width: 74px; white-space: nowrap; } .number.dim { min-width: 56px; }
details { border-bottom: 1px solid var(--line); padding: 3px 0; } summary { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; cursor: pointer; padding: 2px 0; }
summary::before { content: '▸'; width: 10px; color: var(--dim); } details[open] > summary::before { content: '▾'; }
.place-name { width: 210px; overflow-wrap: anywhere; } .place-bar { flex: 1 1 220px; min-width: 120px; } .place-bar .bar-stack { height: 13px; }
.squares-scroll { max-height: 300px; overflow: auto; padding: 2px; } canvas.squares { display: block; cursor: pointer; } canvas.squares:focus-visible { outline-offset: -2px; }
.detail { border-left: 3px solid var(--accent); margin: 8px 0; padding: 4px 10px; overflow-wrap: anywhere; }
canvas.heat { width: 100%; height: 460px; display: block; cursor: crosshair; touch-action: pan-y; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: center; margin-top: 6px; } .scale { width: 160px; height: 10px; border-radius: 3px; }
.whole { white-space: nowrap; }
.status { min-height: 21px; overflow-wrap: anywhere; } #heat .status { position: sticky; bottom: 0; background: var(--panel); padding: 4px 0; }
td.wide { width: 40%; min-width: 90px; } .difference-bar { display: block; position: relative; height: 12px; background: linear-gradient(var(--dim), var(--dim)) center / 1px 100% no-repeat; }
.difference-bar > span { position: absolute; top: 1px; bottom: 1px; border-radius: 2px; }
.u-legend { text-align: left; font-size: 12px; } .u-legend th, .u-legend td { border: 0; padding: 1px 4px; } .uplot { font-family: inherit; max-width: 100%; }
.u-legend .u-marker { width: 18px; height: 11px; padding: 4px 0; }
.u-legend .u-series > * { color: var(--fg); } .u-legend th { color: var(--fg); }
.u-select { background: color-mix(in srgb, var(--accent) 18%, transparent); }
kbd { border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; font: 12px ui-monospace, monospace; background: var(--panel); }
@media (max-width: 560px) {
  main { padding: 8px; } .verdict { padding: 10px 12px; } .verdict.bad { border-left-color: var(--bad); } .verdict.good { border-left-color: var(--good); } .verdict .point { margin-top: 8px; }
.verdict .headline { font-size: 17px; } .panel { padding: 8px; }
  header .keys { display: none; } canvas.heat { height: 380px; } th, td { padding: 3px 6px; }
  .composition li { flex-wrap: wrap; } .composition .what { flex-basis: calc(100% - 190px); } .place-name { width: auto; flex: 1; }
  .place-bar { flex-basis: 100%; }
}
@media not print { .paper { display: none; } }
@media print {
  :root { ${LIGHT} } header .bar, header .keys, .choose, [role=group].bar { display: none; } body { font-size: 11px; background: #fff; }
  main { max-width: none; padding: 0; } .panel { break-inside: avoid; border-color: #bbb; } .scroll { max-height: none !important; overflow: visible; box-shadow: none; } .more, .flame-said { display: none; } .section th, .section td { white-space: normal; padding: 2px 3px; } th, td { padding: 2px 4px; } thead th { white-space: normal; } .squares-scroll { max-height: 240px; overflow: hidden; }
  h2, h3, section > p, .detail p { break-after: avoid; } .flame, figure, tr { break-inside: avoid; } .u-legend .u-value, .u-legend tr:first-child { display: none; }
  details::details-content { content-visibility: visible; display: block; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
