import { bytes, count } from '../../sim/contract/format.ts';
import { durationUs, sizeBytes } from '../../sim/contract/quantities.ts';
import type { ServiceFile } from '../scenario/scenario.ts';

/** What a service has and does, the whole time or until it was killed: what else is on the machine can be told by it. */
export function serviceText(service: ServiceFile, killed: readonly string[]): string {
  const { name, every, snapshot, reads, writes } = service;
  const size = (text: string | number) => bytes(sizeBytes(text)!);
  const has = (
    [
      ['anonymous', 'private'],
      ['shared', 'shared'],
      ['tmpfs', 'in /dev/shm'],
    ] as const
  ).flatMap(([key, what]) => (sizeBytes(service[key])! > 0 ? [`${size(service[key])} ${what}`] : []));
  const steps = [
    ...(sizeBytes(service.grows)! > 0 ? [`takes ${size(service.grows)} more`] : []),
    ...(sizeBytes(service.rewrites)! > 0 ? [`writes ${size(service.rewrites)} of its memory again`] : []),
    ...(sizeBytes(service.tmpfs_grows)! > 0 ? [`adds ${size(service.tmpfs_grows)} in /dev/shm`] : []),
    ...reads.map(({ path, size: all, per_step = all }) => `reads ${size(per_step)} of ${path} (${size(all)})`),
    ...writes.map(({ path, per_step }) => `writes ${size(per_step)} to ${path}`),
    ...(service.descriptors_grow > 0 ? [`opens ${count(service.descriptors_grow)} descriptors`] : []),
  ];
  const does = [
    ...(steps.length > 0 ? [`every ${every} it ${steps.join(', ')}`] : []),
    ...(snapshot
      ? [
          `a snapshot of ${snapshot.takes} every ${snapshot.every}${durationUs(snapshot.first)! > 0 ? `, the first at ${snapshot.first}` : ''}`,
        ]
      : []),
  ];
  const words = [has.length > 0 ? has.join(', ') : 'hardly any memory of its own', ...does].join('; ');
  return `${name} (service): ${words}${does.length === 0 ? '' : killed.includes(name) ? ', from the start until it was killed' : ', from the start to the end'}.`;
}
