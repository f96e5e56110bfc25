import { messageLine } from '../report/escape.ts';
import { startProgress } from './progress.ts';

/** Batches shorter than this show no bar. */
const SHOW_AFTER_MS = 1000;
/** The rate is that of about so long: what the first runs took says little of the last ones. */
const RATE_MS = 30_000;
const REDRAW_MS = 500;

/** How far a batch of runs is. */
export interface RunProgress {
  readonly done: () => void;
  readonly failed: () => void;
  /** Of the run that is being made: how much of it is. */
  readonly share: (share: number) => void;
  /** A line on standard error, above the bar. */
  readonly note: (line: string) => void;
  readonly stop: () => void;
}

/** Runs over the time, as a bar shows them. */
export interface RunRate {
  /** At a moment, with all runs that are over. */
  add(atMs: number, over: number): void;
  /** Runs a second, and what is left at that rate; null as long as nothing is over. */
  estimate(atMs: number, total: number): { readonly perSecond: number; readonly leftMs: number } | null;
}

export function createRunRate(): RunRate {
  const points: { atMs: number; over: number }[] = [{ atMs: 0, over: 0 }];
  return {
    add(atMs, over) {
      points.push({ atMs, over });
      while (points.length > 2 && atMs - points[1]!.atMs > RATE_MS) points.shift();
    },
    estimate(atMs, total) {
      const first = points[0]!;
      const { over } = points.at(-1)!;
      if (over === first.over || atMs <= first.atMs) return null;
      const perSecond = ((over - first.over) * 1000) / (atMs - first.atMs);
      return { perSecond, leftMs: ((total - over) * 1000) / perSecond };
    },
  };
}

/** 12 s, 3 min 20 s, 2 h 5 min */
export function timeText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const say = (line: string) => void process.stderr.write(`sim: ${messageLine(line)}\n`);
const PARTS = 1000;

/** A bar for a few long runs, one after another. */
export async function startShareProgress(total: number): Promise<RunProgress> {
  const bar = await startProgress(PARTS);
  let over = 0;
  const share = (part: number) => bar.update(Math.floor(((over + part) / total) * PARTS));
  const step = () => {
    over++;
    share(0);
  };
  return { done: step, failed: step, share, note: say, stop: bar.stop };
}

/** The first run of a search is made alone, and the next ones load what they need: so many tell its rate. */
const TELLING_RUNS = 5;
const TELL_AFTER_MS = 5000;

/** How long a search of at most `total` runs may take, where so much of it tells; else undefined. */
export function searchText(over: number, total: number, elapsedMs: number): string | undefined {
  if (over < TELLING_RUNS || elapsedMs < TELL_AFTER_MS || over >= total) return undefined;
  const left = timeText((elapsedMs * (total - over)) / over);
  return `${over} runs in ${timeText(elapsedMs)}: about ${left} more for the ${total} of the budget, less where the search ends before`;
}

/** A bar for a search; without a terminal one line, once, on how long it will take. */
export async function startSearchProgress(total: number): Promise<RunProgress> {
  const progress = await startRunProgress(total);
  if (process.stderr.isTTY) return progress;
  const started = performance.now();
  let over = 0;
  let isTold = false;
  const step = () => {
    const text = isTold ? undefined : searchText(++over, total, performance.now() - started);
    if (text === undefined) return;
    say(text);
    isTold = true;
  };
  return { ...progress, done: step, failed: step };
}

/** A bar on standard error with runs done and failed, rate and time left, where that is a terminal and it takes longer than a second. */
export async function startRunProgress(total: number): Promise<RunProgress> {
  if (!process.stderr.isTTY) return { done() {}, failed() {}, share() {}, note: say, stop() {} };
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      format: '{bar} {value}/{total} runs{failures}{rate}{left}',
    },
    cliProgress.Presets.shades_classic,
  );
  const started = performance.now();
  const rate = createRunRate();
  let over = 0;
  let failures = 0;
  let shown = false;

  function draw(): void {
    const atMs = performance.now() - started;
    const now = rate.estimate(atMs, total);
    const fields = {
      failures: failures > 0 ? `, ${failures} failed` : '',
      rate: now ? `, ${now.perSecond >= 10 ? now.perSecond.toFixed(0) : now.perSecond.toFixed(2)} a second` : '',
      left: now ? `, ${timeText(now.leftMs)} left` : '',
    };
    if (shown) bar.update(over, fields);
    else bar.start(total, over, fields);
    shown = true;
  }

  const timer = setInterval(() => {
    if (performance.now() - started > SHOW_AFTER_MS) draw();
  }, REDRAW_MS);
  timer.unref();
  const step = () => rate.add(performance.now() - started, ++over);
  return {
    done: step,
    failed() {
      failures++;
      step();
    },
    share() {},
    note(line) {
      if (shown) process.stderr.write('\r\x1b[K');
      say(line);
      if (shown) draw();
    },
    stop() {
      clearInterval(timer);
      bar.stop();
    },
  };
}
