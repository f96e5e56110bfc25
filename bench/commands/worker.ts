import { availableParallelism } from 'node:os';
import type { Argv, CommandModule } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import { bytesOption } from '../cli/bytes-option.ts';
import { listenForInterrupt } from '../cli/interruption.ts';
import { positive } from '../cli/positive-option.ts';
import { messageLine } from '../report/escape.ts';

interface WorkerArguments {
  engine: string;
  concurrency: number | undefined;
  store: string | undefined;
  cache: string | undefined;
  'cache-size': string | undefined;
  metrics: string | undefined;
  'idle-exit': number | undefined;
}

export const workerCommand: CommandModule<object, WorkerArguments> = {
  command: 'worker',
  describe: 'make the runs of sweep, tune, plan, compare with --engine, on any number of machines',
  builder: (yargs: Argv) =>
    yargs
      .option('engine', {
        type: 'string',
        demandOption: true,
        describe: 'redis://HOST or rediss://HOST, a Redis or Valkey server',
      })
      .option('concurrency', { type: 'number', describe: 'runs at a time; default: one a processor' })
      .option('store', {
        type: 'string',
        describe: 'where the traces are: as the client’s --store; default: the engine',
      })
      .option('cache', { type: 'string', describe: 'folder for traces on this machine; default: in the user’s cache' })
      .option('cache-size', { type: 'string', defaultDescription: '4G', describe: 'of it at most, bytes (K, M, G, T)' })
      .option('metrics', { type: 'string', describe: '[HOST:]PORT where Prometheus may ask for /metrics' })
      .option('idle-exit', { type: 'number', describe: 'end after so many seconds without a run; default: never' })
      .example('$0 worker --engine redis://10.0.0.5  # on every machine', '')
      .example(
        '$0 plan trace.htrace --engine redis://10.0.0.5  # on one of them',
        '',
      ) as unknown as Argv<WorkerArguments>,
  handler: async (argv) => {
    if (argv.concurrency !== undefined) positive('concurrency', argv.concurrency);
    const idle = argv['idle-exit'];
    if (idle !== undefined && !(idle > 0))
      throw new UserError(`--idle-exit: found '${idle}', expected seconds above 0`);
    const given = argv['cache-size'];
    const cacheBytes = given === undefined ? undefined : bytesOption('cache-size', given);
    for (const option of ['store', 'cache'] as const) {
      if (argv[option] === '') throw new UserError(`--${option}: found nothing, expected a value`);
    }
    const { parseListen, runWorker } = await import('../study/engine/run-worker.ts');
    const metrics = argv.metrics === undefined ? undefined : parseListen(argv.metrics);
    const interruption = listenForInterrupt();
    try {
      await runWorker({
        engine: argv.engine,
        concurrency: argv.concurrency ?? availableParallelism(),
        signal: interruption.signal,
        onNote: (line) => void process.stderr.write(`sim: ${messageLine(line)}\n`),
        ...(argv.store !== undefined && { store: argv.store }),
        ...(argv.cache !== undefined && { cache: argv.cache }),
        ...(cacheBytes !== undefined && { cacheBytes }),
        ...(metrics && { metrics }),
        ...(idle !== undefined && { idleExitMs: idle * 1000 }),
      });
    } finally {
      interruption.release();
    }
    process.exit(); // what the runs' processes still hold open
  },
};
