import { describe, expect, test } from 'vitest';
import { CLASSES, RUN_COLOURS } from '../../bench/report/names.ts';
import { THEMES } from '../../bench/report/page-style.ts';

/** Relative luminance of a colour, as WCAG 2.2 defines it. */
function luminance(hex: string): number {
  const full = hex.length === 4 ? hex.replace(/[0-9a-f]/g, '$&$&') : hex;
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(full.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(x: string, y: string): number {
  const [low, high] = [luminance(x), luminance(y)].sort((a, b) => a - b);
  return (high! + 0.05) / (low! + 0.05);
}

describe.each(['light', 'dark'] as const)('the %s theme', (theme) => {
  const colour = Object.fromEntries(
    [...THEMES[theme].matchAll(/--(\w+): (#\w+)/g)].map(([, name, hex]) => [name, hex!]),
  );

  test.each(['fg', 'dim', 'accent', 'bad', 'good'])('%s is read on the page and on panels (AA, 4.5 : 1)', (name) => {
    for (const ground of ['bg', 'panel']) {
      expect(contrast(colour[name]!, colour[ground]!), ground).toBeGreaterThanOrEqual(4.5);
    }
  });

  test('what is drawn is seen on panels (AA, 3 : 1)', () => {
    for (const shade of [...CLASSES, ...RUN_COLOURS]) {
      expect(contrast(shade[theme], colour['panel']!), shade[theme]).toBeGreaterThanOrEqual(3);
    }
  });
});
