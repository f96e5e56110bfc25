import { afterEach, expect, it, vi } from 'vitest';
import { recorderObstacle } from '../../workloads/recorder/recorder.ts';

afterEach(() => void vi.unstubAllGlobals());

it.each([
  ['darwin', 'arm64', 'recording needs Linux with glibc, found darwin'],
  ['linux', 'arm64', 'recording needs a processor of x86-64, found arm64'],
  ['linux', 'ia32', 'recording needs a processor of x86-64, found ia32'],
])('on %s, %s it is refused by name', (platform, arch, obstacle) => {
  vi.stubGlobal('process', { ...process, platform, arch });
  expect(recorderObstacle()).toBe(obstacle);
});
