/** A run shorter than this shows no bar. */
const SHOW_AFTER_MS = 1000;

export interface Progress {
  readonly update: (done: number) => void;
  readonly stop: () => void;
}

/** A bar on standard error, where that is a terminal and it takes longer than a second. `what`: what there are `total` of, if it has a name. */
export async function startProgress(total: number, what?: string): Promise<Progress> {
  if (!process.stderr.isTTY) return { update: () => {}, stop: () => {} };
  const { default: cliProgress } = await import('cli-progress');
  const started = performance.now();
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
      format: `{bar} {percentage} %${what === undefined ? '' : ` of {total} ${what}`}{left}`,
    },
    cliProgress.Presets.shades_classic,
  );
  let shown = false;
  return {
    update(done) {
      const elapsedMs = performance.now() - started;
      const left = leftText(done, total, elapsedMs);
      if (!shown && elapsedMs > SHOW_AFTER_MS) {
        bar.start(total, done, { left });
        shown = true;
      }
      if (shown) bar.update(done, { left });
    },
    stop: () => bar.stop(),
  };
}

/** At the rate so far; empty where nothing tells one yet. */
export function leftText(done: number, total: number, elapsedMs: number): string {
  if (done <= 0 || done >= total) return '';
  return `, ${Math.ceil((elapsedMs * (total - done)) / done / 1000)} s left`;
}
