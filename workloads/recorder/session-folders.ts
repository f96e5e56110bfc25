import { existsSync, lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Folders of a recording: the logs, and the rings, which are memory. A recorder that is killed (SIGKILL) while it writes its traces leaves them. */
export interface SessionFolders {
  make(parent: string, kind: 'record' | 'rings'): string;
  remove(): void;
}

/** The names say whose they are: the recorder's number, and the namespace in which it is its number. */
export function openSessionFolders(): SessionFolders {
  const namespace = pidNamespace();
  const own: string[] = [];
  return {
    make(parent, kind) {
      removeLeft(parent, namespace);
      const made = mkdtempSync(join(parent, `allocsim-${kind}-${namespace}-${process.pid}-`));
      own.push(made);
      return made;
    },
    remove() {
      for (const folder of own) rmSync(folder, { recursive: true, force: true });
    },
  };
}

const pidNamespace = (): string => /\d+/.exec(readlinkSync('/proc/self/ns/pid'))![0];

/** Those of this user's recorders, in this namespace, that are no more. */
function removeLeft(parent: string, namespace: string): void {
  for (const name of readdirSync(parent)) {
    const [, of, pid] = /^allocsim-(?:record|rings)-(\d+)-(\d+)-\w{6}$/.exec(name) ?? [];
    if (pid === undefined || of !== namespace || existsSync(`/proc/${pid}`)) continue;
    const path = join(parent, name);
    try {
      if (lstatSync(path).uid === process.getuid!()) rmSync(path, { recursive: true, force: true });
    } catch {
      // another recorder was faster
    }
  }
}
