/**
 * Why a call stops on its way: it sleeps, because of memory or the disk, lets others have their turn, or only lets whoever drives it look up; no
 * time passes there.
 */
export type Pause = Sleep | 'breath';

export interface Sleep {
  readonly untilUs: number;
  readonly for: 'memory' | 'disk' | 'turn';
}

/** What may take the host long: yields where whoever drives it may look up, or stop. */
export type Breathing = Generator<'breath', void, void>;

/** To its end at once. */
export function atOnce(steps: Breathing): void {
  while (!steps.next().done);
}
