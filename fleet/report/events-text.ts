import { count } from '../../sim/contract/format.ts';
import { durationText } from '../../sim/contract/quantities.ts';
import type { FleetEvent } from '../follower.ts';

/** So many names are told of those who were killed together. */
const NAMES = 6;

/** What happened, for people: the same that happened to several at one time is one line. */
export function eventLines(events: readonly FleetEvent[]): { readonly atUs: number; readonly text: string }[] {
  const groups = new Map<string, FleetEvent[]>();
  for (const event of events) {
    const { atUs, kind, who, text } = event;
    const key = `${durationText(atUs)} ${kind === 'oom-kill' ? text.replace(`killed ${who}`, '') : text}`;
    const group = groups.get(key);
    if (group) group.push(event);
    else groups.set(key, [event]);
  }
  return [...groups.values()].map((group) => ({ atUs: group[0]!.atUs, text: textOf(group) }));
}

function textOf(group: readonly FleetEvent[]): string {
  const { text, who } = group[0]!;
  const names = [...new Set(group.map((event) => event.who))];
  if (names.length === 1) return group.length === 1 ? text : `${text} (${count(group.length)} times)`;
  const rest = names.length - NAMES;
  const told = rest > 0 ? `${names.slice(0, NAMES).join(', ')} and ${count(rest)} more` : names.join(', ');
  return `${text.replace(`killed ${who}`, `killed ${count(group.length)} processes`)}: ${told}`;
}
