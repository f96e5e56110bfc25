const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'no right to it',
  EPERM: 'no right to it',
  EISDIR: 'a directory',
  EEXIST: 'a file of that name',
  ENOTDIR: 'a path through what is no directory',
  ELOOP: 'links that lead in a circle',
  ENAMETOOLONG: 'a name that is too long',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'no space left in the quota',
  EFBIG: 'a limit on the size of files',
  EBADF: 'what is not open for that',
  EBUSY: 'a file that something is mounted on',
  EROFS: 'a file system that is read-only',
  EPIPE: 'a pipe that nobody reads any more',
  ENXIO: 'a socket or a device that is not there',
  EMFILE: 'too many open files (ulimit -n)',
  ENFILE: 'too many open files on this machine',
  ETXTBSY: 'a program that is running',
};

/** What the system says about a file, as the part of a message behind `found`. */
export function systemError(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return WORDS[code ?? ''] ?? code ?? message;
}

/** Whether the error is the system's, not one of this program. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
