import type { Ns } from '../../../sim/contract/units.ts';
import type { RunOptions } from '../../run/run-options.ts';
import type { Facts } from './explanation.ts';
import type { Finding } from './mechanisms/mechanism.ts';
import type { Moment } from './moment/moment.ts';

export interface ObserveOptions extends RunOptions {
  /** A sample's label, `#N` for event N, `peak`, `exit`, `end`; see momentOf. */
  readonly at?: string;
  /** What `at` means, where the events alone have told it (momentFromEvents). */
  readonly known?: Moment;
  /** How many groups of pinning blocks to list. */
  readonly pinningGroups?: number;
}

/** What is known before any other setting is run. */
export interface Observed {
  readonly facts: Facts;
  readonly findings: readonly Finding[];
  /** Of the calls up to there (priceOfCalls). */
  readonly callsNs: Ns;
}
