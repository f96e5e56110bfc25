import type { ModelView } from '../model.ts';
import { overviewText } from './overview.ts';
import { statsPrintJson } from './stats-json.ts';
import { statsPrintText } from './stats-text.ts';

export const VIEWS: readonly ModelView[] = [
  {
    name: 'stats_print',
    about: 'malloc_stats_print(), as text',
    render: (allocator) => statsPrintText(allocator.stats()),
  },
  {
    name: 'stats_print_json',
    about: 'malloc_stats_print() with the option J, as JSON',
    render: (allocator) => statsPrintJson(allocator.stats()),
  },
  {
    name: 'overview',
    about: 'arenas, allocated beside active, cached bytes, madvise calls, and what to make of them',
    render: (allocator) => overviewText(allocator.stats()),
  },
];
