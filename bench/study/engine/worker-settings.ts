/** What the worker's process tells those that execute its runs; by the environment, which only their user can read. */
export interface WorkerSettings {
  readonly engine: string;
  readonly store: string | undefined;
  readonly cache: string | undefined;
  readonly cacheBytes: number;
  readonly plugins: readonly string[];
  /** Of one run, where it can use several. */
  readonly threads: number;
}

const VARIABLE = 'ALLOCSIM_WORKER_SETTINGS';

export const settingsEnvironment = (settings: WorkerSettings): Record<string, string> => ({
  [VARIABLE]: JSON.stringify(settings),
});

export const readSettings = (): WorkerSettings => JSON.parse(process.env[VARIABLE]!) as WorkerSettings;
