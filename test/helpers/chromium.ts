import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import type { TestContext } from 'vitest';
import { requireThat } from './require.ts';

/** Debian's package. */
const CHROMIUM = '/usr/bin/chromium';
/** Whether the scripts of the report page are built. */
const BUILT = existsSync(new URL('../../dist/bench/report/client/main.js', import.meta.url));
/** Whether pages can be looked at here: what a beforeAll asks, which cannot skip. */
export const CAN_LOOK = BUILT && existsSync(CHROMIUM);

export function requirePage(context: TestContext): void {
  requireThat(context, BUILT, 'needs the built scripts of the page: npm run build');
}

export function requireBrowser(context: TestContext): void {
  requirePage(context);
  requireThat(context, existsSync(CHROMIUM), `needs ${CHROMIUM}`);
}

export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
