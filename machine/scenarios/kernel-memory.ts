import type { MachineScenario } from './scenario.ts';

/** Memory that is in no process. */
export const KERNEL_SCENARIOS: Readonly<Record<string, MachineScenario>> = {
  descriptors: {
    shows: 'connections that are never closed: the memory is the kernel’s, and no RSS grows',
    text: `#! -m 1088
# A server of 20 MB leaks 1,500 connections an hour, each with 16 KB that nobody reads.
new server
server mmap A 20M private
server touch A 0 20M
sample started
${[1, 2, 3, 4].map((hour) => `server sockets 1500 queued=16K\nsleep 3600000\nsample hour-${hour}\n`).join('')}`,
  },
  tmpfs: {
    shows: 'files that a job left in /dev/shm: in no process, not available, and gone only when they are removed',
    text: `#! -m 1088
# A job that runs each hour leaves 60 MB behind.
${[1, 2, 3].map((hour) => `new job${hour}\njob${hour} write /dev/shm/result-${hour} 0 60M\njob${hour} exit\nsleep 3600000\nsample hour-${hour}\n`).join('')}`,
  },
  'names-of-files': {
    shows:
      'millions of files that were only looked up: names and inodes in the slab, which the kernel gives back when it must',
    text: `#! -m 1088
# An indexer makes 20,000 files, and asks for as many that are not there.
new indexer
sample started
indexer mkdir /mnt/d
indexer files /mnt/d 20000
indexer dentries /mnt/d 20000
sample indexed
drop_caches 2
sample dropped
`,
  },
};
