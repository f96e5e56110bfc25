import type { Argv } from 'yargs';
import { UserError } from '../../sim/contract/assert.ts';
import type { Recorded } from './report-run.ts';

/** Pictures of one run or of several. */
export interface PictureArguments {
  report: string | undefined;
  svg: string | undefined;
  plot: boolean;
}

export function pictureOptions<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .option('report', { type: 'string', describe: 'one HTML page with every figure to FILE; needs no network' })
    .option('svg', { type: 'string', describe: 'the one picture to FILE.svg, or every figure as SVG files into DIR' })
    .option('plot', { type: 'boolean', default: false, describe: 'draw the curves in the terminal' }) as Argv<T>;
}

/** What of a run has to be recorded for the pictures that were asked for; undefined: nothing. */
export function recordingFor(argv: PictureArguments): Recorded | undefined {
  for (const option of ['report', 'svg'] as const) {
    if (argv[option] === '') throw new UserError(`--${option}: found no name, expected --${option} NAME`);
  }
  if (argv.report !== undefined || argv.svg !== undefined) return 'pages';
  return argv.plot ? 'samples' : undefined;
}
