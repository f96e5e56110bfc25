import type { AllocatorModel } from '../model.ts';
import { createGlibc } from './model.ts';
import { OPTIONS } from './options.ts';
import { VERSIONS } from './version.ts';
import { VIEWS } from './views.ts';

export const glibc: AllocatorModel = {
  name: 'glibc',
  versions: VERSIONS,
  about: 'malloc of the GNU C library (ptmalloc): thread caches, arenas of boundary-tagged chunks',
  options: OPTIONS,
  layered: false,
  create: (machine, version, options, _below, given) => createGlibc(machine, version, given ?? options),
  views: VIEWS,
};
