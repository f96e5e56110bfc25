function bytesText(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let scaled = Math.abs(value);
  let unit = 0;
  for (; scaled >= 1024 && unit < units.length - 1; unit++) scaled /= 1024;
  const digits = unit === 0 ? 0 : scaled >= 10 ? 1 : 2;
  return `${value < 0 ? '−' : ''}${scaled.toFixed(digits)} ${units[unit]}`;
}

/** On an axis, where the ticks are round. */
function axisBytesText(value: number): string {
  return bytesText(value)
    .replace(/\.0+ /, ' ')
    .replace(/(\.\d)0 /, '$1 ');
}

function signedBytesText(value: number): string {
  return value === 0 ? 'the same' : `${value > 0 ? '+' : ''}${bytesText(value)}`;
}

function countText(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

function nsText(value: number): string {
  const units = ['ns', 'µs', 'ms', 's'];
  let scaled = value;
  let unit = 0;
  for (; scaled >= 1000 && unit < units.length - 1; unit++) scaled /= 1000;
  return `${unit === 0 ? Math.round(scaled) : scaled.toPrecision(scaled < 1000 ? 3 : 4)} ${units[unit]}`;
}

function axisNsText(value: number): string {
  if (value === 0) return '0';
  return nsText(value)
    .replace(/(\.\d*?)0+ /, '$1 ')
    .replace(/\. /, ' ');
}

function percentText(share: number): string {
  return `${(share * 100).toFixed(share > 0 && share < 0.001 ? 2 : 1)} %`;
}

/** `the main heap`, `32 arena heaps`, `3 slabs of 320`. */
function placeText(name: string, areas: number): string {
  if (areas === 1) return name;
  const many = name.includes(' of ') ? name.replace(' of ', 's of ') : name.endsWith('s') ? name : `${name}s`;
  return `${countText(areas)} ${many}`;
}

/** Ticks at 1, 2 or 5 times a power of ten, `least` apart and more. */
function roundTicks(from: number, to: number, about: number, least = 0): number[] {
  const raw = Math.max(least, (to - from) / Math.max(1, about));
  if (!(raw > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw)!;
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
