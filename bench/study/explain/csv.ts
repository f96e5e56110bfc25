import { type NamedTable, tablesCsv } from '../../report/tables-csv.ts';
import type { Explanation } from './explanation.ts';

/** What the text shows as tables, and each area of its own. */
export function explanationCsv(e: Explanation): string {
  const { sample, rssPeakBytes, whatIf } = e;
  const tables: NamedTable[] = [
    {
      name: 'resident',
      rows: [
        ...e.areas.map(({ name, ...figures }, i) => [`${i} ${name}`, figures] as const),
        [
          'all',
          {
            residentBytes: sample.rssBytes,
            breakdown: sample.breakdown,
            withinSlabsBytes: sample.withinSlabsBytes,
            mappedBytes: sample.vszBytes,
            liveBlocks: sample.liveBlocks,
          },
        ],
      ],
    },
    {
      name: 'sites',
      rows: (e.sites ?? []).map(({ stack, ...figures }) => [stack.join(';'), figures]),
    },
    {
      name: 'pinning',
      rows: e.pinning.map(({ blocks, ...figures }, i) => [i, { ...figures, blocks: blocks.length }]),
    },
    { name: 'returns', rows: e.returns.map(({ call, returnsBytes }) => [call, { returnsBytes }]) },
    { name: 'thresholds', rows: Object.entries(e.tunables ?? {}).map(([name, value]) => [name, { value }]) },
    {
      name: 'settings',
      rows: [
        [
          'as it is',
          {
            rssBytes: sample.rssBytes,
            rssPeakBytes,
            vszBytes: sample.vszBytes,
            faults: sample.faults,
            workNs: e.workNs,
          },
        ],
        ...whatIf.map(({ setting, about: _, paste: __, ...figures }) => [setting, figures] as const),
      ],
    },
  ];
  return tablesCsv(tables);
}
