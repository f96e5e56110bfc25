import type { MachineScenario } from './scenario.ts';

/** A runtime whose heap is made of areas of 64 MB, as Go's: collected, then idle for five minutes until a scavenger runs. */
const collected = (advice: 'free' | 'dontneed') => `#! -m 1088
new app
app mmap H 64M private
app mmap I 64M private
app mmap J 64M private
app touch H 0 64M
app touch I 0 64M
app touch J 0 64M
sample busy
sleep 300000
sample five-minutes-idle
app madvise I 0 64M ${advice}
app madvise J 0 48M ${advice}
sample scavenged
sleep 1000
sample later
`;

/** Who gives memory back, and when. */
export const RUNTIME_SCENARIOS: Readonly<Record<string, MachineScenario>> = {
  'three-layers': {
    shows: 'the kernel, an allocator and a runtime each give memory back, on grounds of their own',
    text: `#! -m 576
# A file in the cache; a program whose allocator takes and gives back the break, and whose runtime gives back pages of its heap;
# and the kernel, which takes the cache when both are at their peak.
new reader app
reader write /mnt/log 0 200M sync
reader read /mnt/log 0 200M
sample cached
app brk +120M
app touch heap 0 120M
app mmap H 128M private
app touch H 0 128M
sample peak
app brk -112M
sample allocator-trimmed
app madvise H 0 96M dontneed
sample runtime-returned
`,
  },
  'go-1.12': {
    shows:
      'a collected runtime gives back late, and by MADV_FREE: RSS does not fall at all, though the memory can be had',
    text: collected('free'),
  },
  'go-1.16': {
    shows: 'a collected runtime gives back late, by MADV_DONTNEED: RSS falls, minutes after the memory was dead',
    text: collected('dontneed'),
  },
  'lazily-freed': {
    shows: 'pages given back by MADV_FREE at once: in RSS until the kernel needs them',
    text: `#! -m 576
# 200 MB are used and given back lazily; then another process needs more than is free.
new p1 p2
p1 mmap A 220M private
p1 touch A 0 220M
sample used
p1 madvise A 0 200M free
sample freed
p2 mmap B 280M private
p2 touch B 0 280M
sample needed-elsewhere
`,
  },
};
