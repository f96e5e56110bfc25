import type { MachineScenario } from './scenario.ts';

/** Page cache. */
export const CACHE_SCENARIOS: Readonly<Record<string, MachineScenario>> = {
  'cache-evicts': {
    shows:
      'a file larger than memory goes through the cache, and what is read again and again has to be read from the disk anew',
    text: `#! -m 576
# 250 MB that are in use, and a backup of 700 MB, read at the same time.
new db backup
db write /mnt/table 0 250M sync
db write /mnt/dump 0 700M sync
drop_caches 3
db read /mnt/table 0 250M
db read /mnt/table 0 250M
sample warm
backup read /mnt/dump 0 350M
db read /mnt/table 0 250M
backup read /mnt/dump 350M 350M
db read /mnt/table 0 250M
sample thrashing
`,
  },
  'cache-trusted': {
    shows: 'little is free and much is available: files in the cache, which nothing has had to give up',
    text: `#! -m 576
# A database reads 300 MB of its files, half of it again and again.
new db
db mmap A 40M private
db touch A 0 40M
db write /mnt/table 0 300M sync
drop_caches 3
sample cold
db read /mnt/table 0 300M
db read /mnt/table 0 150M
db read /mnt/table 0 150M
sample warm
`,
  },
  container: {
    shows:
      'a group at its limit: what of it is processes, cache, shared memory and kernel, and what its working set leaves out',
    text: `#! -m 1088
# A group of 200 MB with 60 MB of processes, 20 MB of shared memory, and as much cache as fits.
new app
cgroup C max=200M
app into C
app mmap A 60M private
app touch A 0 60M
app mmap S 20M shared
app touch S 0 20M
sample started
app write /mnt/log 0 80M sync
app read /mnt/log 0 40M
app read /mnt/log 0 40M
sample logged
app write /mnt/log2 0 160M sync
sample limit-met
`,
  },
  'container-killed': {
    shows:
      'a group that is killed at its limit though its processes look small: what a job left in /dev/shm is paid by it too',
    text: `#! -m 1088
# A group of 200 MB: a server of 30 MB, and a job of 20 MB that leaves files of 60 MB in /dev/shm.
cgroup C max=200M
new server job
server into C
job into C
server mmap A 90M private
server touch A 0 30M
job mmap B 20M private
job touch B 0 20M
sample started
job write /dev/shm/result-1 0 60M
job write /dev/shm/result-2 0 60M
sample left-behind
server touch A 30M 60M
sample killed
`,
  },
};
