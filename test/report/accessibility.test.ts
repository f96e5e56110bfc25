import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { buildPageData } from '../../bench/report/build-page.ts';
import { histogramsOf } from '../../bench/report/histograms.ts';
import { buildPage } from '../../bench/report/page-document.ts';
import { flamePage } from '../../bench/report/sites/flame.ts';
import { recordRun } from '../../bench/study/record.ts';
import { bumpOptions, eventsWithSites } from '../helpers/bump-run.ts';
import { CAN_LOOK, launchChromium, requireBrowser } from '../helpers/chromium.ts';

/** Texts whose contrast with what is painted behind them is less than WCAG 2.2 asks for (AA): what, and how much it is. */
const FAINT_TEXTS = `(() => {
  const parts = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return colour.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const isDark = getComputedStyle(document.documentElement).colorScheme.includes('dark') && matchMedia('(prefers-color-scheme: dark)').matches;
  const groundOf = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parts(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((ground, layer) => over(layer, ground), isDark ? [18, 18, 18] : [255, 255, 255]);
  };
  const faint = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || /SCRIPT|STYLE/.test(element.tagName)) continue;
    seen++;
    const style = getComputedStyle(element);
    const ground = groundOf(element);
    const [low, high] = [luminance(over(parts(style.color), ground)), luminance(ground)].sort((x, y) => x - y);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) faint.push(element.textContent.slice(0, 40) + ' ' + ratio.toFixed(1));
  }
  return { seen, faint };
})()`;

const REACHABLE = 'button:not([tabindex="-1"]), summary, a[href], input, [tabindex="0"]:not(button)';

describe('for every reader', () => {
  let browser: Browser;
  let pages: Readonly<Record<string, string>>;

  beforeEach(requireBrowser);
  beforeAll(async () => {
    if (!CAN_LOOK) return;
    browser = await launchChromium();
    const events = eventsWithSites();
    const options = { ...bumpOptions([]), events };
    const runs = [await recordRun(options), await recordRun({ ...options, spec: parseAllocator('glibc', 1) })];
    const explained = { ...runs[0]!, verdict: ['In use.', 'To paste: A=1'], why: ['It is so.'] };
    pages = {
      one: buildPage(buildPageData([explained], { histograms: histogramsOf(events) })),
      two: buildPage(buildPageData(runs)),
      flame: flamePage('a name', runs[1]!.sites!, 'at the end'),
    };
  }, 60_000);
  afterAll(() => browser?.close());

  async function open(text: string, width: number, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    await page.setContent(text);
    await page.waitForSelector('html[data-ready=true], body > .flame');
    return page;
  }

  describe.each(['one', 'two', 'flame'])('page %s', (name) => {
    test.each(['light', 'dark'] as const)('%s: each text is read on what lies behind it', async (scheme) => {
      const page = await open(pages[name]!, 1200, scheme);
      const { seen, faint } = (await page.evaluate(FAINT_TEXTS)) as { seen: number; faint: string[] };
      expect(seen).toBeGreaterThan(20);
      expect(faint).toEqual([]);
      await page.close();
    });

    test('Tab reaches every control, and shows where it is', async () => {
      const page = await open(pages[name]!, 1200);
      const count = await page.locator(`${REACHABLE} >> visible=true`).count();
      const outlines = new Set<string>();
      for (let i = 0; i < count; i++) {
        await page.keyboard.press('Tab');
        outlines.add(
          (await page.evaluate(
            `(document.activeElement.dataset.reached = 'true', getComputedStyle(document.activeElement).outlineStyle)`,
          )) as string,
        );
      }
      expect(await page.locator('[data-reached]').count()).toBe(count);
      expect(outlines).not.toContain('none');
      await page.close();
    });

    test('400 pixels are enough, and 1200 at twice the size', async () => {
      for (const width of [400, 600]) {
        const page = await open(pages[name]!, width);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        await page.close();
      }
    });
  });

  test('a flame graph is one stop of Tab; arrows reach each of its frames, also when one was enlarged', async () => {
    const page = await open(pages['flame']!, 800);
    const graph = page.locator('.flame').first();
    expect(await graph.locator('[tabindex="0"]').count()).toBe(1);
    await graph.locator('[tabindex="0"]').focus();
    const focused = () => page.evaluate('document.activeElement.textContent') as Promise<string>;
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
      return focused();
    };
    expect(await focused()).toBe('all');
    expect(await press('ArrowUp')).toBe('all');
    expect(await press('ArrowDown', 'ArrowDown')).toBe('small');
    expect(await press('ArrowDown')).toBe('small');
    expect(await press('ArrowRight')).toBe('big');
    expect(await press('ArrowLeft')).toBe('small');
    expect(await page.locator('.flame-said').innerText()).toMatch(/^small: /);
    // Enlarged, it is alone on its level.
    expect(await press('Enter', 'ArrowRight')).toBe('small');
    expect(await press('ArrowUp', 'ArrowUp', 'Enter')).toBe('all');
    expect(await graph.locator('[tabindex="0"]').count()).toBe(1);
    await page.close();
  });

  test('on paper there are all pictures and no controls', async () => {
    const page = await open(pages['one']!, 800);
    const canvases = await page.locator('canvas >> visible=true').count();
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('canvas >> visible=true').count()).toBe(canvases);
    expect(await page.locator('.flame button >> visible=true').count()).toBeGreaterThan(3);
    expect(await page.locator('button:not(.flame button) >> visible=true').count()).toBe(0);
    expect(await page.getByText('It is so.').isVisible()).toBe(true);
    await page.close();
  });
});
