import { mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Files without a name yet, and folders made for them, the innermost last. A process that ends before the files have names takes all of it along. */
const files = new Set<string>();
const folders: string[] = [];

/** Gives a file its name. @returns what takes it away again, where there was none of that name before. */
type Naming = () => (() => void) | undefined;
/** Of the files of `together`. */
let namings: Naming[] | undefined;

/** Files that the work writes get their names when all of it is done, or none of them where it fails. What is written in place is not held back. */
export async function together<T>(work: () => T | Promise<T>): Promise<T> {
  const own: Naming[] = [];
  namings = own;
  try {
    const result = await work();
    nameAll(own);
    return result;
  } catch (error) {
    removeUnfinished();
    throw error;
  } finally {
    namings = undefined;
  }
}

/** The same for work that waits for nothing; within `together` its files are some of those. */
export function togetherNow(work: () => void): void {
  if (namings) {
    work();
    return;
  }
  const own: Naming[] = [];
  namings = own;
  try {
    work();
    nameAll(own);
  } finally {
    namings = undefined;
  }
}

function nameAll(own: readonly Naming[]): void {
  const undo: (() => void)[] = [];
  try {
    for (const name of own) undo.push(name() ?? (() => {}));
    folders.length = 0;
  } catch (error) {
    for (const takeAway of undo) takeAway();
    throw error;
  }
}

/** Gives a file its name: now, or with those of `together`. */
export function nameWhenAllAreDone(name: Naming): void {
  if (namings) namings.push(name);
  else name();
}

export function addUnfinished(path: string): void {
  if (files.size === 0) process.once('exit', removeUnfinished);
  files.add(path);
}

/** It has its name, or is gone. */
export function isFinished(path: string): void {
  files.delete(path);
  if (files.size === 0) process.off('exit', removeUnfinished);
}

/** Makes a folder for files that `write` writes, and those above it; where it fails, or does not come to its end, none of them stays. */
export function inFolder(path: string, write: () => void): void {
  const made = mkdirSync(path, { recursive: true });
  if (made !== undefined) {
    const from = folders.length;
    for (let at = resolve(path); ; at = dirname(at)) {
      folders.splice(from, 0, at);
      if (at === resolve(made)) break;
    }
  }
  try {
    write();
  } catch (error) {
    removeFolders();
    throw error;
  }
}

function removeUnfinished(): void {
  for (const path of files) removeUnfinishedFile(path);
  removeFolders();
}

export function removeUnfinishedFile(path: string): void {
  removeFile(path);
  isFinished(path);
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // gone already, with its folder
  }
}

function removeFolders(): void {
  for (const path of folders.splice(0).reverse()) {
    try {
      rmdirSync(path);
    } catch {
      // somebody else has put something into it
    }
  }
}
