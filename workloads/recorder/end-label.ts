// The last sample of a recording is named 'end', or by the signal that ended the program while it was at work.

export const endedBySignal = (signal: number): string => `ended by signal ${signal}`;

export const isEndedBySignal = (label: string): boolean => /^ended by signal \d+$/.test(label);
