import { builtInScenario } from '../../fleet/scenario/built-in.ts';
import { looksLikeScenario } from '../../fleet/scenario/looks-like.ts';
import { headOfFile, readTextFile } from '../../workloads/files/text-file.ts';
import type { MachineText } from './machine-script.ts';

export interface FleetText {
  /** Where it is from, for messages and for the paths in it. */
  readonly from: string;
  readonly text: string;
}

/** A fleet's scenario by its name or file; undefined where it is none, and for a pipe, which can be read only once. */
export function fleetScenario(given: string): FleetText | undefined {
  const own = builtInScenario(given);
  if (own) return { from: own.path, text: own.text };
  const head = headOfFile(given);
  if (head === undefined || !(/\.ya?ml$/.test(given) || looksLikeScenario(head))) return undefined;
  return { from: given, text: readTextFile(given, "a fleet's scenario") };
}

/** What came through a pipe where a script was expected, if it is a fleet's scenario. */
export const fleetInPipe = ({ name, text }: MachineText): FleetText | undefined =>
  looksLikeScenario(text) ? { from: name, text } : undefined;
