/** Thread slot: 0 is the main thread; slot k has the k-th thread stack (see event.ts). */
export type ThreadSlot = number & { readonly __unit?: 'thread' };
