import { UserError } from '../../sim/contract/assert.ts';
import type { Change } from './change.ts';
import { parseScenario, type Scenario } from './scenario.ts';

/**
 * Reads changes to a scenario before anything runs, so that a mistake in the last one is found at once.
 * @throws UserError that names the file's line, where the change is one of its settings.
 */
export function checkChanges(
  scenario: Scenario,
  text: string,
  from: string,
  changes: readonly { readonly name: string; readonly change: Change }[],
): void {
  for (const { name, change } of changes) {
    const fault = faultOf(text, from, change);
    if (fault === undefined) continue;
    const number = scenario.settings.findIndex((setting) => setting.name === name);
    if (number < 0) throw fault;
    const own = scenario.settings[number]!.change;
    const word = Object.keys(own).find((path) => faultOf(text, from, { [path]: own[path] }));
    const at = ['settings', number, 'change', ...(word === undefined ? [] : [word])];
    throw new UserError(`${scenario.placeOf(at)}: settings.${number}.change: ${withoutPlace(fault, from)}`);
  }
}

function faultOf(text: string, from: string, change: Change): UserError | undefined {
  try {
    parseScenario(text, from, change);
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** The line of the part that was changed says nothing: what it has now stands elsewhere. */
const withoutPlace = ({ message }: UserError, from: string): string =>
  message.startsWith(from) ? message.slice(from.length).replace(/^(:\d+)?: (change: )?/, '') : message;
