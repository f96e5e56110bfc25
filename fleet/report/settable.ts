const MIB = 2 ** 20;

/** What is needed, as a size that can be set: whole MiB, never less than it. */
export const atLeastText = (bytes: number): string => `${Math.ceil(bytes / MIB)}M`;

/** What there is room for, as a size that can be set: whole MiB, never more than it. */
export const atMostText = (bytes: number): string => `${Math.floor(bytes / MIB)}M`;
