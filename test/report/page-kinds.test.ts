import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildPageData } from '../../bench/report/build-page.ts';
import { machinePage } from '../../bench/report/machine-run-page.ts';
import { buildPage } from '../../bench/report/page-document.ts';
import type { ReportRun } from '../../bench/report/report-run.ts';
import { loadMachinePrograms } from '../../bench/study/machine/machine-programs.ts';
import { recordRun } from '../../bench/study/record.ts';
import { MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { runMachineScript } from '../../machine/script/run.ts';
import { Historian } from '../../machine/views/words/history.ts';
import { machineSummary, machineSummaryText } from '../../machine/views/words/summary.ts';
import { bumpOptions } from '../helpers/bump-run.ts';
import { CAN_LOOK, launchChromium, requireBrowser } from '../helpers/chromium.ts';

describe('pages of other kinds in Chromium', () => {
  let browser: Browser;
  beforeEach(requireBrowser);
  beforeAll(async () => {
    if (CAN_LOOK) browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  async function open(text: string, width: number) {
    const page = await browser.newPage({ viewport: { width, height: 800 } });
    await page.setContent(text);
    await page.waitForSelector('html[data-ready=true]');
    return page;
  }

  async function machineOf(name: string) {
    const { text } = MACHINE_SCENARIOS[name]!;
    const historian = new Historian();
    const run = runMachineScript(text, {
      name,
      program: await loadMachinePrograms(text, name),
      onStart: (started) => historian.start(started),
      afterCommand: (running, command) => historian.afterCommand(running, command),
    });
    const history = historian.finish(run);
    const summary = machineSummary(run, name, history);
    return { summary, html: machinePage(summary, run, history) };
  }

  test.each(['opcache-pool', 'container', 'arenas', 'descriptors'])(
    'a machine (%s): its headline has the number, and every figure of the text is on the page',
    async (name) => {
      const { summary, html } = await machineOf(name);
      const page = await open(html, 400);
      const text = machineSummaryText(summary);
      const verdict = /^Verdict: (.*)$/m.exec(text)![1]!;
      const headline = await page.locator('.headline').innerText();
      expect(headline.toLowerCase()).toBe(`${verdict.toLowerCase()}.`);
      const shown = await page.locator('#page').evaluate((node) => node.textContent ?? '');
      for (const { title, parts } of summary.sections) {
        const place = page.locator('section', { has: page.getByRole('heading', { name: title, exact: true }) });
        const tables = parts.filter((part) => typeof part !== 'string');
        expect(await place.locator('table').count()).toBe(tables.length);
        expect(await place.locator('tbody tr').count()).toBe(tables.reduce((sum, { rows }) => sum + rows.length, 0));
        for (const part of parts) {
          for (const cell of typeof part === 'string' ? [part] : part.rows.flat()) expect(shown).toContain(cell);
        }
      }
      const labels = await page.locator('#facts td:first-child').allInnerTexts();
      expect(new Set(labels).size).toBe(labels.length);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
      await page.close();
    },
  );

  test('one value is a point, and where nothing was ever resident that is said', async () => {
    const run = await recordRun(bumpOptions(['m 0 1 5000']));
    const { result } = run;
    const one = { result: { ...result, samples: result.samples.slice(-1) } };
    const none = { ...result.summary, rssPeakBytes: 0, rssBytes: 0 };
    const painted = async (runs: readonly ReportRun[]) => {
      const page = await open(buildPage(buildPageData(runs)), 800);
      // Red where a curve or its point is: the lines of the grid are grey.
      const colours = await page.locator('#chart-rss canvas').evaluateAll((nodes) =>
        nodes.flatMap((node) => {
          type Context = { getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray } };
          const canvas = node as unknown as { width: number; height: number; getContext: (kind: '2d') => Context };
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          let coloured = 0;
          for (let i = 0; i < data.length; i += 4) if (Math.abs(data[i]! - data[i + 2]!) > 60) coloured++;
          return [coloured];
        }),
      );
      const text = await page.locator('#chart-rss').innerText();
      await page.close();
      return { colours, text };
    };
    expect((await painted([one, one])).colours[0]).toBeGreaterThan(5);
    const nothing = { result: { ...one.result, summary: none } };
    const said = await painted([nothing, nothing]);
    expect(said.colours).toEqual([]);
    expect(said.text).toContain('no page was ever resident');
  });

  test('no line of a verdict ends between a figure and its unit', async () => {
    const run = await recordRun(bumpOptions(['m 0 1 5000', 'm 0 2 123456', 'f 0 1']));
    const page = await open(buildPage(buildPageData([run])), 400);
    const wholes = await page.locator('#verdict .whole').allInnerTexts();
    expect(wholes.filter((text) => /\d (%|[KM]iB)/.test(text)).length).toBeGreaterThan(2);
    expect(
      await page
        .locator('#verdict .whole')
        .evaluateAll((nodes) =>
          nodes.map((n) => (n as unknown as { getClientRects(): ArrayLike<unknown> }).getClientRects().length),
        ),
    ).toEqual(wholes.map(() => 1));
    await page.close();
  });

  test('the axis is a switch of two, by mouse, Tab and key', async () => {
    const lines = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? `m 0 ${i} ${(i % 50) * 100}` : `f 0 ${i - 1}`));
    const run = await recordRun({ ...bumpOptions(lines), mode: 'virtual' });
    const page = await open(buildPage(buildPageData([run])), 1200);
    const pressed = () => page.locator('#axis button[aria-pressed=true]').allInnerTexts();
    const unit = () => page.locator('#chart-classes .u-legend .u-value').first().innerText();
    const read = async () => {
      await page.locator('#chart-classes').focus();
      await page.keyboard.press('End');
      return unit();
    };
    expect(await pressed()).toEqual(['time']);
    expect(await read()).toMatch(/s$/);
    await page.getByRole('button', { name: 'time', exact: true }).click();
    expect(await pressed()).toEqual(['time']);
    await page.getByRole('button', { name: 'events', exact: true }).click();
    expect(await pressed()).toEqual(['events']);
    expect(await read()).toMatch(/^[\d,]+$/);
    await page.keyboard.press('t');
    expect(await pressed()).toEqual(['time']);
    await page.getByRole('button', { name: 'events', exact: true }).focus();
    await page.keyboard.press('Enter');
    expect(await pressed()).toEqual(['events']);
    await page.close();
  });
});
