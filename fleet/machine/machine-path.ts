/** Where a file of a scenario lies in the machine: on its disk, or in /dev/shm. */
export const machinePath = (path: string): string =>
  path.startsWith('/dev/shm/') || path.startsWith('/mnt/') ? path : `/mnt${path.startsWith('/') ? '' : '/'}${path}`;
