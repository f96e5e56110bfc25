import { writeBinary, writeWhole } from '../../workloads/files/line-sink.ts';
import { flamePage } from '../report/sites/flame.ts';
import { pprof } from '../report/sites/pprof.ts';
import { speedscope } from '../report/sites/speedscope.ts';
import { collapsed, type StackBytes } from '../report/sites/stacks.ts';
import type { SiteArguments } from './site-options.ts';

/** `about`: which moment they are of, as the end of `Resident …`. */
export function writeSites(argv: SiteArguments, name: string, stacks: readonly StackBytes[], about: string): void {
  if (argv.flame) writeWhole(argv.flame, flamePage(name, stacks, about));
  if (argv.pprof) writeBinary(argv.pprof, pprof(stacks));
  if (argv.speedscope) writeWhole(argv.speedscope, speedscope(name, stacks));
  if (argv.collapsed) writeWhole(argv.collapsed, collapsed(stacks));
}
