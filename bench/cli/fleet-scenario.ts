import { existsSync, readFileSync } from 'node:fs';
import { builtInScenario, looksLikeScenario } from '../../fleet/index.ts';

export interface FleetText {
  /** Where it is from, for messages and for the paths in it. */
  readonly from: string;
  readonly text: string;
}

/** A fleet's scenario by its name or file; undefined where it is none. */
export function fleetScenario(given: string): FleetText | undefined {
  const own = builtInScenario(given);
  if (own) return { from: own.path, text: own.text };
  if (given === '' || given === '-' || !existsSync(given)) return undefined;
  if (/\.ya?ml$/.test(given)) return { from: given, text: readFileSync(given, 'utf8') };
  try {
    const text = readFileSync(given, 'utf8');
    return looksLikeScenario(text) ? { from: given, text } : undefined;
  } catch {
    return undefined;
  }
}
