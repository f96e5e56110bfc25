import { mkdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Files without a name yet, and folders made for them, the innermost last. A process that ends before the files have names takes all of it along. */
const files = new Set<string>();
const folders: string[] = [];

/** What gives files of `together` their names. */
let namings: (() => void)[] | undefined;

/** Files that the work writes get their names when all of it is done, or none of them where it fails. What is written in place is not held back. */
export async function together<T>(work: () => T | Promise<T>): Promise<T> {
  const own: (() => void)[] = [];
  namings = own;
  try {
    const result = await work();
    for (const name of own) name();
    folders.length = 0;
    return result;
  } catch (error) {
    removeUnfinished();
    throw error;
  } finally {
    namings = undefined;
  }
}

/** Gives a file its name: now, or with those of `together`. */
export function nameWhenAllAreDone(name: () => void): void {
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
  if (!namings) folders.length = 0;
}

function removeUnfinished(): void {
  for (const path of files) removeUnfinishedFile(path);
  removeFolders();
}

export function removeUnfinishedFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // gone already, with its folder
  }
  isFinished(path);
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
