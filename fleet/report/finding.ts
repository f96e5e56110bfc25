/** fails: somebody is killed. ends: something climbs to a limit. watch: worth a look. fine: nothing to do. */
export type Severity = 'fails' | 'ends' | 'watch' | 'fine';

/** Before a finding; nothing where there is nothing to do. */
export const severityMark = (severity: Severity): string => MARKS[severity];

const MARKS: Readonly<Record<Severity, string>> = { fails: 'FAILS, ', ends: 'ENDS, ', watch: 'watch, ', fine: '' };

export interface Finding {
  readonly severity: Severity;
  /** What it is about: a pool, a service, a group, the machine. */
  readonly about: string;
  readonly text: string;
  /** What climbs goes towards what, and when, in a few words; nothing where nothing does, or where it stops well before a limit. */
  readonly course?: string;
}
