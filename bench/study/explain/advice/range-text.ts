import { bytes, percent } from '../../../../sim/contract/format.ts';
import type { Facts } from '../explanation.ts';
import { isWide } from '../settings/orders.ts';
import type { OrderRange } from '../settings/what-if.ts';

/** Both ends read otherwise. */
export const isRange = ({ leastBytes, mostBytes }: OrderRange): boolean => bytes(leastBytes) !== bytes(mostBytes);

export const rangeText = (range: OrderRange): string =>
  isRange(range) ? `${bytes(range.leastBytes)} to ${bytes(range.mostBytes)}` : bytes(range.mostBytes);

/** What would be resident: the range where runs lie apart; else one figure, which of several threads is that of one order of their calls. */
export function residentText(of: { rssBytes: number; orders: OrderRange | null }, threads: number): string {
  if (of.orders && isWide(of.orders)) return rangeText(of.orders);
  return threads > 1 ? `about ${bytes(of.rssBytes)}` : bytes(of.rssBytes);
}

/** That the headline’s figure is one of many. */
export const apartText = ({ orders }: Facts): string[] =>
  orders && isWide(orders)
    ? [`Runs of the program lie apart: those that were made as it is leave ${rangeText(orders)}.`]
    : [];

/** A share that something changes by. */
export const signed = (share: number): string => `${share > 0 ? '+' : ''}${percent(share)}`;
