import { lazyCode } from '../lazy-code.ts';
import type { AllocatorModel } from '../model.ts';
import { OPTIONS, shapeOf, startingState } from './options.ts';
import { featuresOf, VERSIONS } from './version.ts';
import { VIEWS } from './views.ts';

export const glibcCode = lazyCode('glibc', () => import('./model.ts'));

export const glibc: AllocatorModel = {
  name: 'glibc',
  versions: VERSIONS,
  about: 'malloc of the GNU C library (ptmalloc): thread caches, arenas of boundary-tagged chunks',
  options: OPTIONS,
  layered: false,
  load: glibcCode.load,
  create: (machine, version, options, _below, given) => glibcCode.get().createGlibc(machine, version, given ?? options),
  // No state depends on an option but by initParameters.
  startingState: (version, given, program) => startingState(featuresOf(version), given, program),
  shape: (version, _options, given, program) => shapeOf(featuresOf(version), given, program),
  views: VIEWS,
};
