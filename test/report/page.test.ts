import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildPageData } from '../../bench/report/build-page.ts';
import { histogramsOf } from '../../bench/report/histograms.ts';
import { buildPage } from '../../bench/report/page-document.ts';
import type { ReportRun } from '../../bench/report/report-run.ts';
import { recordRun } from '../../bench/study/record.ts';
import type { Sample } from '../../sim/metrics/sample.ts';
import { bumpOptions } from '../helpers/bump-run.ts';
import { CAN_LOOK, launchChromium, requireBrowser, requirePage } from '../helpers/chromium.ts';

const LINES = Array.from({ length: 600 }, (_, i) =>
  i % 100 === 50
    ? `= at${i} </script><img src=x onerror=fetch("x")>`
    : i % 3 === 2 && i % 100 !== 51
      ? `f 0 ${i - 1}`
      : `m ${i % 4} ${i} ${(i * 7919) % 60000}`,
);

/** One run, and the same one with a lock that was waited for and another name. */
async function twoRuns(): Promise<ReportRun[]> {
  const options = bumpOptions(LINES);
  const run = await recordRun(options);
  const waited: ReportRun = {
    ...run,
    verdict: ['Retention by policy: </script><b>all</b> of it.', 'A second sentence.'],
    result: {
      ...run.result,
      run: { ...run.result.run, allocator: 'bump@1:waits=true' },
      summary: { ...run.result.summary, rssPeakBytes: run.result.summary.rssPeakBytes + 4096 },
      locks: [
        {
          name: 'main_arena.mutex',
          acquisitions: 100,
          contended: 7,
          failedTries: 1,
          waitNs: { total: 12345, p50: 10, p99: 900, max: 1000 },
          holdNs: 5000,
          ownerSwitches: 3,
          futexWaits: 2,
          futexWakes: 2,
        },
      ],
    },
  };
  return [run, waited];
}

async function pageText(): Promise<string> {
  const options = bumpOptions(LINES);
  return buildPage(
    buildPageData(await twoRuns(), { title: 'a <test> & more', histograms: histogramsOf(options.events) }),
  );
}

describe('the page', () => {
  beforeEach(requirePage);

  test('is one file that asks for nothing and is small', async () => {
    const text = await pageText();
    expect(text.length).toBeLessThan(2_000_000);
    const [, data] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(text)!;
    expect(data).toContain('onerror=fetch');
    expect(data).not.toContain('<');
    expect(text.replace(data!, '')).not.toMatch(/(src|href)=/);
    expect(text).not.toContain('</script><b>');
    expect(text).toContain('<title>a &lt;test&gt; &amp; more · allocsim</title>');
  });

  test('of many runs the map leaves out who holds what', async () => {
    const [run] = await twoRuns();
    const four = buildPageData([run!, run!, run!, run!]).runs.map((r) => r.heat!);
    expect(four.every((heat) => heat.holders.address.length > 0)).toBe(true);
    const five = buildPageData([run!, run!, run!, run!, run!]).runs.map((r) => r.heat!);
    expect(five.map((heat) => [heat.held, heat.holders.address.length])).toEqual(Array(5).fill(['', 0]));
    expect(five[0]!.cells).toBe(four[0]!.cells);
  });

  test('a million samples: under 2 MB, and the one that peaks is in it', async () => {
    const [run] = await twoRuns();
    const [first] = run!.result.samples;
    const samples: Sample[] = Array.from({ length: 1_000_000 }, (_, event) => ({
      ...first!,
      label: `#${event}`,
      event,
      rssBytes: event === 654_321 ? 987_654_321 : 4096 * (event % 5000),
      requestedBytes: (event * 31) % 20_000_000,
      breakdown: { ...first!.breakdown, pinned: (event * 17) % 1_000_000, cached: (event * 13) % 777_777 },
    }));
    const data = buildPageData([{ result: { ...run!.result, samples } }]);
    expect(buildPage(data).length).toBeLessThan(2_000_000);
    let rss = 0;
    const drawn = data.runs[0]!.series.columns.rssBytes.map((delta) => (rss += delta));
    expect(Math.max(...drawn)).toBe(987_654_321);
  });
});

// Debian's package; the rest of the page's tests need no browser.
describe('the page in Chromium', () => {
  const folder = mkdtempSync(join(tmpdir(), 'allocsim-page-'));
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeEach(requireBrowser);
  beforeAll(async () => {
    if (!CAN_LOOK) return;
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1200, height: 800 }, colorScheme: 'light' });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('request', (request) => !request.url().startsWith('file:') && complaints.push(request.url()));
    writeFileSync(join(folder, 'page.html'), await pageText());
    await page.goto(`file://${join(folder, 'page.html')}`);
    await page.waitForSelector('html[data-ready=true]');
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  /** Whether a canvas has pixels that are not empty. */
  const isPainted = (selector: string) =>
    page.$eval(selector, (node) => {
      type Context = { getImageData(x: number, y: number, w: number, h: number): { readonly data: Uint8ClampedArray } };
      const canvas = node as unknown as { width: number; height: number; getContext: (kind: '2d') => Context };
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((v, i) => i % 4 === 3 && v > 0);
    });

  /** Charts that reach beyond their panel. */
  const wideCharts = () =>
    page.$$eval('.panel', (panels) =>
      panels.flatMap((place) =>
        [...place.querySelectorAll('canvas')]
          .filter((canvas) => canvas.getBoundingClientRect().right > place.getBoundingClientRect().right)
          .map(() => place.id),
      ),
    );

  test('draws every figure without a complaint', async () => {
    for (const id of ['chart-rss', 'chart-sizes', 'chart-lifetimes', 'chart-classes']) {
      expect(await isPainted(`#${id} canvas`), id).toBe(true);
    }
    expect(await isPainted('canvas.heat')).toBe(true);
    expect(await isPainted('canvas.squares')).toBe(true);
    expect(await page.locator('#difference table').count()).toBe(2);
    expect(await page.locator('#metrics tbody tr').count()).toBeGreaterThan(8);
    expect(complaints).toEqual([]);
  });

  test('runs are chosen by key; locks and explanation belong to the second, which is shown first', async () => {
    expect(await page.locator('#locks tbody tr').count()).toBe(1);
    expect(await page.locator('.verdict').first().innerText()).toMatch(/bump@1:waits=true peaks at .* against bump@1/);
    expect(await page.locator('.verdict').nth(1).innerText()).toContain('</script><b>all</b>');
    await page.keyboard.press('1');
    expect(await page.locator('#locks tbody tr').count()).toBe(0);
    expect(await page.locator('#locks').innerText()).toContain(
      'whether threads would wait for each other is not known',
    );
    await page.keyboard.press('2');
    expect(await page.locator('#locks tbody tr').count()).toBe(1);
  });

  test('a figure is moved and zoomed by keys, and the map with it', async () => {
    const chart = page.locator('#chart-classes');
    await chart.focus();
    await page.keyboard.press('Home');
    const at = () => chart.locator('.u-legend .u-value').first().innerText();
    expect(await at()).toBe('0');
    await page.keyboard.press('ArrowRight');
    expect(await at()).not.toBe('0');
    const map = await page.locator('canvas.heat').screenshot();
    const before = await chart.screenshot();
    await page.keyboard.press('+');
    await page.keyboard.press('+');
    expect(Buffer.compare(before, await chart.screenshot())).not.toBe(0);
    expect(Buffer.compare(map, await page.locator('canvas.heat').screenshot())).not.toBe(0);
    await page.keyboard.press('0');
    expect(Buffer.compare(map, await page.locator('canvas.heat').screenshot())).toBe(0);
  });

  test('the map tells what is under a click, and zooms addresses by keys', async () => {
    const heat = page.locator('canvas.heat');
    await heat.click({ position: { x: 600, y: 200 } });
    const said = page.locator('#heat [aria-live]');
    expect(await said.innerText()).toMatch(/^main heap, .* from 0x5555\w+, at event [\d,]+: /);
    expect(await said.innerText()).toMatch(
      /live blocks? holds? it.*; .* asked for \(.* usable\) at 0x5555\w+, since event [\d,]+ by thread \d\.$/,
    );
    const first = await said.innerText();
    await page.keyboard.press('ArrowLeft');
    expect(await said.innerText()).not.toBe(first);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    expect(await said.innerText()).toBe(first);
    const before = await heat.screenshot();
    await page.keyboard.press('PageUp');
    expect(Buffer.compare(before, await heat.screenshot())).not.toBe(0);
    await page.keyboard.press('0');
  });

  test('the map is zoomed by buttons, by the wheel and by two fingers, and one button goes back', async () => {
    const heat = page.locator('canvas.heat');
    const buttons = page.locator('#heat [role=group]');
    const pixels = () => heat.evaluate((node) => (node as unknown as { toDataURL(): string }).toDataURL());
    const whole = await pixels();
    const back = async () => {
      expect(await pixels()).not.toBe(whole);
      await buttons.getByRole('button', { name: 'all', exact: true }).click();
      expect(await pixels()).toBe(whole);
    };
    for (const name of ['time +', 'addresses +']) {
      await buttons.getByRole('button', { name, exact: true }).click();
      await back();
    }
    await heat.hover({ position: { x: 500, y: 150 } });
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -200);
    await page.keyboard.up('Control');
    await page.waitForTimeout(50);
    await back();
    const chart = page.locator('#chart-classes');
    const before = await chart.screenshot();
    // Two fingers that part sideways; the charts follow, for the time is one.
    await heat.evaluate((node) => {
      const canvas = node as unknown as { dispatchEvent(event: unknown): void; setPointerCapture(id: number): void };
      canvas.setPointerCapture = () => {};
      const { left, top } = node.getBoundingClientRect();
      const Pointer = (globalThis as unknown as { PointerEvent: new (kind: string, init: object) => unknown })
        .PointerEvent;
      const send = (kind: string, pointerId: number, x: number) =>
        canvas.dispatchEvent(new Pointer(kind, { pointerId, clientX: left + x, clientY: top + 100, bubbles: true }));
      send('pointerdown', 1, 400);
      send('pointerdown', 2, 500);
      send('pointermove', 2, 700);
      send('pointerup', 2, 700);
      send('pointerup', 1, 400);
    });
    expect(Buffer.compare(before, await chart.screenshot())).not.toBe(0);
    await back();
  });

  test('a page that is clicked says who holds it, and what that keeps', async () => {
    const squares = page.locator('canvas.squares').first();
    await squares.click({ position: { x: 3, y: 3 } });
    const detail = page.locator('#cell-detail');
    expect(await detail.innerText()).toMatch(/Page at 0x5555\w+, main heap \(blocks of 4 threads\), at the end/);
    const first = await detail.innerText();
    await page.keyboard.press('ArrowRight');
    expect(await detail.innerText()).not.toBe(first);
    expect(await detail.locator('th').allInnerTexts()).toContain('since event');
    await page.keyboard.press('End');
    expect(await detail.innerText()).toMatch(
      /main heap: nothing lives above the block at 0x5555\w+\. Without it .* would be free/,
    );
  });

  test('on a phone all columns of what is told of a page can be reached', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    await page.waitForTimeout(50);
    await page
      .locator('canvas.squares')
      .first()
      .click({ position: { x: 3, y: 3 } });
    const box = page.locator('#cell-detail .scroll');
    expect(await page.locator('#cell-detail .more').innerText()).toContain('more columns');
    await box.focus();
    for (let i = 0; i < 40; i++) await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.locator('#cell-detail .more').innerText()).not.toContain('more columns');
    await page.setViewportSize({ width: 1200, height: 800 });
  });

  test.each([400, 800, 1400])('at %i pixels nothing is wider than the window', async (width) => {
    await page.setViewportSize({ width, height: 800 });
    await page.waitForTimeout(50);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await page.setViewportSize({ width: 1200, height: 800 });
  });

  test.each([400, 900, 1280])('at %i pixels every chart is as wide as its panel', async (width) => {
    await page.setViewportSize({ width, height: 800 });
    await page.waitForTimeout(50);
    expect(await wideCharts()).toEqual([]);
    await page.setViewportSize({ width: 1200, height: 800 });
  });

  test('on paper charts fit, and tables are whole', async () => {
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    await page.emulateMedia({ media: 'print' });
    expect(await wideCharts()).toEqual([]);
    expect(await page.evaluate('document.body.clientWidth')).toBe(700);
    expect(await page.$$eval('.scroll', (boxes) => boxes.filter((b) => b.clientHeight < b.scrollHeight).length)).toBe(
      0,
    );
    await page.emulateMedia({ media: 'screen' });
    await page.evaluate('dispatchEvent(new Event("afterprint"))');
  });

  test('a table that is too wide says so, and a keyboard scrolls it to its end', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    await page.waitForTimeout(50);
    const locks = page.locator('#locks .scroll');
    const hint = page.locator('#locks .more');
    expect(await hint.innerText()).toContain('more columns');
    await locks.focus();
    for (let i = 0; i < 40; i++) await page.keyboard.press('ArrowRight');
    await expect.poll(() => hint.innerText()).not.toContain('more columns');
    await page.setViewportSize({ width: 1200, height: 800 });
  });

  test('a long table ends between two rows, and says how many are left', async () => {
    const left = await page.evaluate(`(() => {
      const into = document.createElement('div');
      document.getElementById('body').append(into);
      scrollTable(into, drawTable(['n'], Array.from({ length: 50 }, (_, i) => [String(i)])), 'numbers', 200);
      const box = into.querySelector('.scroll');
      const bottom = box.getBoundingClientRect().bottom;
      const rows = [...into.querySelectorAll('tr')].map((row) => row.getBoundingClientRect().bottom);
      const text = into.querySelector('.more').textContent;
      into.remove();
      return { cut: Math.min(...rows.map((row) => Math.abs(row - bottom))), below: rows.filter((row) => row > bottom + 1).length, text };
    })()`);
    const { cut, below, text } = left as { cut: number; below: number; text: string };
    expect(cut).toBeLessThan(1);
    expect(below).toBeGreaterThan(40);
    expect(text).toBe(`↓ ${below} more rows`);
  });

  test('no two kinds of line have the same sign in a legend', async () => {
    const signs = await page.$$eval('.u-legend', (legends) =>
      legends.map((legend) =>
        [...legend.querySelectorAll('.u-marker')]
          .slice(1)
          .map((marker) => (marker as unknown as { style: { background: string } }).style.background),
      ),
    );
    expect(signs.length).toBeGreaterThan(3);
    for (const own of signs) expect(new Set(own).size).toBe(own.length);
  });

  test('labels of bands never overlap; the largest band has one, and every band with room', async () => {
    const heights = fc.array(fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 20, max: 300 })), {
      minLength: 1,
      maxLength: 30,
    });
    const layouts = fc.sample(heights, { numRuns: 300, seed: 7 }).map((all) => {
      let top = 0;
      return all.map((height) => ({ top, bottom: (top += height) }));
    });
    const placed = (await page.evaluate(
      `${JSON.stringify(layouts)}.map((bands) => placeLabels(bands, bands.at(-1).bottom))`,
    )) as (number | null)[][];
    layouts.forEach((bands, k) => {
      const middles = placed[k]!;
      const sorted = middles.filter((y) => y !== null).sort((a, b) => a - b);
      for (let i = 1; i < sorted.length; i++) expect(sorted[i]! - sorted[i - 1]!).toBeGreaterThanOrEqual(15);
      const tallest = Math.max(...bands.map(({ top, bottom }) => bottom - top));
      bands.forEach(({ top, bottom }, i) => {
        const height = bottom - top;
        if (height >= 34) expect(middles[i]).not.toBeNull();
        if (height >= 18 && middles[i] !== null) {
          expect(middles[i]! - 7.5).toBeGreaterThanOrEqual(top);
          expect(middles[i]! + 7.5).toBeLessThanOrEqual(bottom);
        }
      });
      if (tallest > 0) expect(middles[bands.findIndex(({ top, bottom }) => bottom - top === tallest)]).not.toBeNull();
    });
  });

  test('dark and light, by the system and by key', async () => {
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await background();
    expect(dark).not.toBe(light);
    await page.keyboard.press('d');
    expect(await background()).toBe(light);
    await page.keyboard.press('d');
    expect(await background()).toBe(dark);
    expect(complaints).toEqual([]);
  });
});
