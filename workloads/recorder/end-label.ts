// The last sample of a recording is named 'end', or by the signal that ended the program while it was at work.

export const endedBySignal = (signal: number): string => `ended by signal ${signal}`;

export const isEndedBySignal = (label: string): boolean => /^ended by signal \d+$/.test(label);

/** Samples that are named by the function with which an interpreter begins to take itself down (native/teardown.c): its name for people. */
export const TEARDOWNS: ReadonlyMap<string, string> = new Map([
  ['Py_FinalizeEx', 'Python'],
  ['php_request_shutdown', 'PHP'],
  ['php_module_shutdown', 'PHP'],
]);
