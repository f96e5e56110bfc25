import { type NamedTable, tablesCsv } from '../../report/tables-csv.ts';
import type { Verification } from './verify.ts';

/** What was compared, and the differences that are told. */
export function verificationCsv({ placements, samples, syscalls }: Verification): string {
  const { first: places, ...placed } = placements;
  const { first: differing, ...sampled } = samples;
  const first = 'leftOut' in syscalls ? undefined : syscalls.first;
  const calls = 'leftOut' in syscalls ? syscalls : { total: syscalls.total, equal: syscalls.equal };
  const tables: NamedTable[] = [
    {
      name: 'compared',
      rows: [
        ['placements', placed],
        ['samples', sampled],
        ['system calls', calls],
      ],
    },
    { name: 'placements', rows: places.map(({ event, ...rest }) => [event, rest]) },
    {
      name: 'samples',
      rows: differing.map(({ event, differing: figures }) => [
        event,
        Object.fromEntries(figures.map(({ name, model, real }) => [name, { model: plain(model), real: plain(real) }])),
      ]),
    },
    { name: 'system calls', rows: first ? [[first.index, first]] : [] },
  ];
  return tablesCsv(tables);
}

const plain = (value: unknown) => (typeof value === 'object' && value !== null ? JSON.stringify(value) : `${value}`);
