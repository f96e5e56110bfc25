import type { MachineScenario } from './scenario.ts';

/** Memory that more than one process maps. */
export const SHARED_SCENARIOS: Readonly<Record<string, MachineScenario>> = {
  'shared-memory': {
    shows:
      'shared memory is in Shmem once and in the RSS of everyone who touched it; when they are gone it is in nobody’s, and still there',
    text: `#! -m 5120
# A parent maps 2000 MB of shared anonymous memory and never touches it; one child writes the first 500 MB of it, another the
# first 1000 MB.
new parent
parent mmap A 2000M shared
sample mapped
parent fork c1
parent fork c2
c1 touch A 0 500M
c2 touch A 0 1000M
sample written
c1 exit
c2 exit
sample children-gone
parent munmap A 0 2000M
sample unmapped
`,
  },
  'opcache-pool': {
    shows: 'a pool whose workers all read one shared cache: the RSS of the pool is many times what it costs',
    text: `#! -m 1088
# A master fills 96 of 128 MB of shared memory; eight workers read all of it, and write 6 MB of their own each.
new master
master mmap S 128M shared
master touch S 0 96M
sample filled
${[1, 2, 3, 4, 5, 6, 7, 8]
  .map((i) => `master fork w${i}\nw${i} touch S 0 96M read\nw${i} mmap P 6M private\nw${i} touch P 0 6M\n`)
  .join('')}sample serving
`,
  },
  'prefork-pool': {
    shows: 'a heap that a fork leaves shared, until someone writes it',
    text: `#! -m 1088
# 120 MB of heap before the fork; one worker writes a tenth of it, and then the master all of it.
new master
master brk +120M
master touch heap 0 120M
${[1, 2, 3, 4].map((i) => `master fork w${i}\n`).join('')}sample forked
w1 touch heap 0 12M
sample worker-wrote
master touch heap 0 120M
sample master-wrote
`,
  },
};
