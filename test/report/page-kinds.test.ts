import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildPageData } from '../../bench/report/build-page.ts';
import { machinePage } from '../../bench/report/machine-run-page.ts';
import { buildPage } from '../../bench/report/page-document.ts';
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
