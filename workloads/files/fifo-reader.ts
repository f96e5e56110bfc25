import { closeSync, constants, openSync, statSync } from 'node:fs';
import { outputTarget } from './output-target.ts';

/** Between two looks for a reader. */
const LOOK_MS = 20;

/** Named pipes that have a reader and are not written yet, by their path. */
const opened = new Map<string, number>();

/**
 * Opens those of `paths` that are named pipes as soon as each has a reader, as a shell does before its command begins, but with the event
 * loop breathing: a call that opens one waits where no signal is heard. A file that cannot be opened, its writer tells.
 */
export async function waitForReaders(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const target = fifoAt(path);
    while (target !== undefined && !opened.has(target) && !openNow(target)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

/** The descriptor of a named pipe that has been waited for, once. Writes to it say EAGAIN while it is full. */
export function takeOpened(target: string): number | undefined {
  const descriptor = opened.get(target);
  opened.delete(target);
  return descriptor;
}

function fifoAt(path: string): string | undefined {
  try {
    const { path: target } = outputTarget(path);
    return statSync(target).isFIFO() ? target : undefined;
  } catch {
    return undefined;
  }
}

/** @returns false without a reader. */
function openNow(target: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(target, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENXIO';
  }
  // Between two looks it may have become something else.
  if (fifoAt(target) === undefined) closeSync(descriptor);
  else opened.set(target, descriptor);
  return true;
}
