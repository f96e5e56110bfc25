import { spawnSync } from 'node:child_process';

const PATIENCE_MS = 5000;

/** Asks libraries of jemalloc's, each once, in a process of its own (native/built-conf.c); '' of what does not answer. */
export function createBuiltConf(keeper: string): (library: string) => string {
  const known = new Map<string, string>();
  return (library) => {
    const had = known.get(library);
    if (had !== undefined) return had;
    const asked = spawnSync(keeper, ['built-conf'], {
      env: { LD_PRELOAD: library },
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const conf = asked.status === 0 && !asked.stdout.includes('\n') ? asked.stdout : '';
    known.set(library, conf);
    return conf;
  };
}
