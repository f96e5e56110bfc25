import { type Document, isMap, isSeq, type YAMLMap } from 'yaml';
import { UserError } from '../../sim/contract/assert.ts';

/** New values by paths such as `pools.www.pm.max_children`, where a part of a list goes by its name. */
export type Change = Readonly<Record<string, unknown>>;

/**
 * Makes a change in a scenario's document. What the file says keeps its place, so that messages name its lines.
 * @throws UserError for a path that leads nowhere.
 */
export function applyChange(document: Document, from: string, change: Change): void {
  for (const [path, value] of Object.entries(change)) {
    const steps = path.split('.');
    const where: (string | number)[] = [];
    let at: unknown = document.contents;
    for (const step of steps.slice(0, -1)) {
      if (isSeq(at)) {
        const index = at.items.findIndex((item) => isMap(item) && (item as YAMLMap).get('name') === step);
        if (index < 0)
          throw new UserError(`${from}: change: found '${path}', and nothing there has the name '${step}'`);
        where.push(index);
        at = at.items[index];
      } else if (isMap(at)) {
        where.push(step);
        at = at.get(step, true);
      } else throw new UserError(`${from}: change: found '${path}', which leads nowhere after '${where.join('.')}'`);
    }
    const last = steps.at(-1)!;
    if (isSeq(at)) {
      const index = at.items.findIndex((item) => isMap(item) && (item as YAMLMap).get('name') === last);
      if (index < 0) throw new UserError(`${from}: change: found '${path}', and nothing there has the name '${last}'`);
      where.push(index);
    } else if (isMap(at) || at === undefined) where.push(last);
    else throw new UserError(`${from}: change: found '${path}', which leads nowhere after '${where.join('.')}'`);
    document.setIn(where, document.createNode(value));
  }
}
