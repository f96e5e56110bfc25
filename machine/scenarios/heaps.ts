import type { MachineScenario } from './scenario.ts';

const burst = (workload: string) => `p1 run ${workload} under glibc until peak
sample peak
p1 run ${workload} under glibc
sample freed
sleep 60000
sample a-minute-later
`;

/** What malloc keeps after a burst. */
export const HEAP_SCENARIOS: Readonly<Record<string, MachineScenario>> = {
  'allocator-keeps': {
    shows: 'a burst is over and everything freed, but RSS stays: free blocks between live ones are the allocator’s',
    text: `#! -m 1088
# 64 MB of blocks, of which one in 160 stays.
new p1
${burst('spike:bytes=64M,stay=100,place=spread')}`,
  },
  'pinned-break': {
    shows: 'two live blocks at the top of the heap keep all that is free below them from being given back',
    text: `#! -m 1088
# 64 MB of blocks, of which the last two stay.
new p1
${burst('spike:bytes=64M,stay=2,place=last')}`,
  },
  arenas: {
    shows: 'threads that each have an arena: what is live is in three of them, the others keep their burst',
    text: `#! -m 2112 --smp 4
# 32 threads take 8 MB each; three of them keep it, the others all but eight blocks.
new p1
${burst('spike:threads=32,bytes=8M,stay=8,place=spread,busy=3')}`,
  },
  'imagick-pool': {
    shows:
      'a pool of PHP workers, each of which once resizes an image: none leaks, and anonymous memory climbs until all have done so',
    text: `#! -m 2112 --smp 32
# Each hour one more of four workers resizes an image with ImageMagick's threads; what its largest pass needed stays in its heap.
new master
${[1, 2, 3, 4].map((i) => `master fork w${i}\n`).join('')}sample started
${[1, 2, 3, 4].map((i) => `w${i} run lanczos-im6\nsleep 3600000\nsample hour-${i}\n`).join('')}`,
  },
};
