import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAllocator } from '../../allocators/spec.ts';
import { writeReport } from '../../bench/commands/explain-report.ts';
import { keepingRule } from '../../bench/report/moments/keeping-rule.ts';
import type { PageData } from '../../bench/report/page-data.ts';
import type { RunOptions } from '../../bench/run/run-options.ts';
import { explain } from '../../bench/study/explain/explain.ts';
import type { EventBuffer } from '../../sim/contract/event.ts';
import { eventsOf } from '../helpers/bump-run.ts';
import { CAN_LOOK, launchChromium, requireBrowser } from '../helpers/chromium.ts';

const folder = mkdtempSync(join(tmpdir(), 'allocsim-explained-'));
let browser: Browser;
beforeEach(requireBrowser);
beforeAll(async () => {
  if (CAN_LOOK) browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** Orders of one line of code, dropped but for a note of another line behind each; then all goes. */
const orders = (thread: number, from: number) => [
  ...Array.from({ length: 300 }, (_, i) => [
    `m ${thread} ${from + 2 * i} 20000`,
    `m ${thread} ${from + 2 * i + 1} 40`,
  ]).flat(),
  ...Array.from({ length: 300 }, (_, i) => `f 0 ${from + 2 * i}`),
];
const LINES = [...orders(0, 0), 'tb 5', ...orders(5, 1000), '= living'];
const ENDING = [0, 1000].flatMap((from) => Array.from({ length: 300 }, (_, i) => `f 0 ${from + 2 * i + 1}`));

function sited(lines: readonly string[]): EventBuffer {
  const [order, note] = [1, 2];
  const frame = (functionName: string, line: number) => ({ functionName, file: 'shop.c', line, module: '' });
  return {
    ...eventsOf(lines),
    sites: Int32Array.from(lines, (text) => (text.endsWith(' 20000') ? order : text.endsWith(' 40') ? note : 0)),
    frames: [frame('', 0), frame('place', 14), frame('note', 17)],
    siteParent: Int32Array.of(0, 0, 0),
    siteFrame: Int32Array.of(0, 1, 2),
  };
}

interface ExplainedPage {
  readonly text: string;
  readonly data: PageData;
  readonly options: RunOptions;
}

const pages = new Map<string, Promise<ExplainedPage>>();

/** The same page for each test that looks at it. */
function pageOf(allocator: string, at?: string): Promise<ExplainedPage> {
  const key = `${allocator} ${at}`;
  const page = pages.get(key) ?? makePage(allocator, at);
  pages.set(key, page);
  return page;
}

async function makePage(allocator: string, at: string | undefined): Promise<ExplainedPage> {
  const options: RunOptions = {
    events: sited([...LINES, ...ENDING]),
    workload: 'shop',
    spec: parseAllocator(allocator, 2),
    cpus: 2,
  };
  const to = join(folder, 'page.html');
  const explanation = explain({ ...options, ...(at && { at }) });
  await writeReport(to, options, explanation, new AbortController().signal);
  const text = readFileSync(to, 'utf8');
  const [, data] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(text)!;
  return { text, data: JSON.parse(data!) as PageData, options };
}

async function open(text: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  await page.setContent(text);
  await page.waitForSelector('html[data-ready=true]');
  return page;
}

describe('the page of an explanation', () => {
  test('is about one moment: the verdict, the box, the squares, the call sites; the charts mark it', async () => {
    const { text, data } = await pageOf('glibc@2.36', 'living');
    const [run] = data.runs;
    expect(run!.judged).toMatchObject({ event: LINES.length });
    expect(run!.judged!.classBytes.reduce((x, y) => x + y, 0)).toBe(run!.judged!.rssBytes);
    expect(run!.moments.map(({ label }) => label).slice(0, 2)).toEqual(['where it is judged', 'at the end']);
    const page = await open(text);
    const box = await page.locator('#chart-classes h3').innerText();
    expect(box).toMatch(/^\S+ [KM]iB where it is judged$/);
    expect(await page.locator('#verdict .headline').innerText()).toContain(
      box.replace(' where it is judged', ' resident'),
    );
    expect(await page.locator('[aria-pressed=true]').allInnerTexts()).toContain(
      box.replace(/^(\S+ \S+) (.*)$/, '$2: $1'),
    );
    expect(await page.locator('#sites').innerText()).toContain('Resident where it is judged');
    await page.close();
  });

  test.each([400, 1000])('the mark’s label covers no curve at %i px: it stands above the plot', async (width) => {
    const { text } = await pageOf('glibc@2.36', 'living');
    const page = await browser.newPage({ viewport: { width, height: 900 } });
    await page.addInitScript(`
      window.drawn = [];
      const { fillText } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        window.drawn.push({ text, right: x + this.measureText(text).width, y, width: this.canvas.width });
        fillText.call(this, text, x, y);
      };`);
    await page.goto('about:blank');
    await page.setContent(text);
    await page.waitForSelector('html[data-ready=true]');
    await page.waitForFunction(`window.drawn.some(({ text }) => text === 'judged here')`);
    const labels = await page.evaluate<{ right: number; y: number; width: number }[]>(
      `window.drawn.filter(({ text }) => text === 'judged here')`,
    );
    const plotTop = await page.evaluate<number>(
      `document.querySelector('#chart-classes .u-over').offsetTop * devicePixelRatio`,
    );
    for (const { right, y, width: whole } of labels) {
      expect(y + 11).toBeLessThanOrEqual(plotTop);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(right).toBeLessThanOrEqual(whole);
    }
    await page.close();
  });

  test('has both answers ready to paste, each with what it is for, where there are two', async () => {
    const { options } = await pageOf('glibc@2.36', 'living');
    const explanation = explain({ ...options, at: 'living', whatIf: false });
    const pasted = (shell: string, lead: string) => ({ shell, systemd: '', dockerfile: '', lead });
    const pastes = [pasted('L=1', 'For less memory'), pasted('K=1', 'For fewer page faults')];
    const to = join(folder, 'two.html');
    const verdict = { ...explanation.verdict, pastes };
    await writeReport(to, options, { ...explanation, verdict }, new AbortController().signal);
    const page = await open(readFileSync(to, 'utf8'));
    const told = await page.locator('#verdict').innerText();
    expect(told).toMatch(/To paste, for less memory: L=1\s+To paste, for fewer page faults: K=1/);
    await page.close();
  });

  test('what freed chunks keep behind the last live block is not said to go with the end of the heap', () => {
    const heap = { name: 'arena 1, heap 1', kind: 'heap', start: 0, end: 4096 } as const;
    expect(keepingRule(heap, { trim_threshold: 131072 }).end).toMatch(
      /cuts the end off, down to the last chunk that is in use or waits in a cache or fastbin, .* 128\.0 KiB now$/,
    );
  });

  test('says of a free page whose it was, which arena it is in, and why it stays', async () => {
    const { text } = await pageOf('glibc@2.36', 'living');
    const page = await open(text);
    const said = new Set<string>();
    for (const canvas of await page.locator('canvas.squares').all()) {
      await canvas.click({ position: { x: 3, y: 3 } });
      for (let i = 0; i < 12; i++) {
        said.add((await page.locator('#cell-detail').innerText()).replace(/\s+/g, ' '));
        await page.keyboard.press('ArrowRight');
      }
    }
    const all = [...said].join('\n');
    expect(all).toMatch(/arena 1, heap 1 \(blocks of thread 5\), where it is judged/);
    expect(all).toMatch(
      /returnable The last block here was allocated in place \(shop\.c:14\) by thread \d( with event [\d,]+; thread 0 freed it with event [\d,]+)?\. It lies below blocks that live, the next one at 0x\w+ \(40 B, since event [\d,]+ by thread \d, in note \(shop\.c:17\)\): glibc cuts off ends alone/,
    );
    expect(all).toMatch(/keeps? [\d.]+ KiB of free memory from going back: Of what is free: The last block here/);
    await page.close();
  });

  test('a click on the map says who held a place before, where nobody does', async () => {
    const { text } = await pageOf('glibc@2.36', 'living');
    const page = await open(text);
    const map = page.locator('canvas.heat');
    const { width, height } = (await map.boundingBox())!;
    const said: string[] = [];
    for (const x of [0.5, 0.7, 0.97]) {
      for (const y of [0.1, 0.3, 0.6]) {
        await map.click({ position: { x: width * x, y: (height - 22) * y } });
        said.push(await page.locator('#heat .status').innerText());
      }
    }
    for (const each of said) expect(each).toMatch(/ resident/);
    expect(said.join('\n')).toMatch(/Held until event [\d,]+: .* in (place|note) \(shop\.c:1\d\); free since, and/);
    await page.close();
  });

  test.each(['glibc@2.36', 'jemalloc'])('no sentence stands twice on it (%s)', async (allocator) => {
    for (const at of [undefined, 'living']) {
      const { text } = await pageOf(allocator, at);
      const page = await open(text);
      const shown = await page.locator('#verdict').evaluate((node) => node.textContent ?? '');
      const sections = await page.locator('section p').allInnerTexts();
      const sentences = [...shown.split(/(?<=[.:]) (?=[A-Z])|(?<=\.)(?=[A-Z])/), ...sections].filter(
        (s) => s.length > 30,
      );
      expect(sentences.filter((s, i) => sentences.indexOf(s) !== i)).toEqual([]);
      await page.close();
    }
  });
});
