/** A script that comes with the program. */
export interface MachineScenario {
  readonly shows: string;
  readonly text: string;
}
