import type { Area } from './area.ts';
import { imports } from './areas/imports.ts';
import { json } from './areas/json.ts';
import { optionLines } from './areas/option-lines.ts';
import { options } from './areas/options.ts';
import { programs } from './areas/programs.ts';
import { recorderLog } from './areas/recorder-log.ts';
import { scenarios } from './areas/scenarios.ts';
import { scripts } from './areas/scripts.ts';
import { specs } from './areas/specs.ts';
import { htb, text } from './areas/traces.ts';

/** Every area, and its share of the inputs in parts of a hundred. */
export const AREAS: readonly { readonly area: Area; readonly share: number }[] = [
  { area: text, share: 15 },
  { area: htb, share: 15 },
  { area: imports, share: 18 },
  { area: specs, share: 10 },
  { area: json, share: 10 },
  { area: recorderLog, share: 10 },
  { area: scenarios, share: 4 },
  { area: scripts, share: 4 },
  { area: options, share: 4 },
  { area: optionLines, share: 5 },
  { area: programs, share: 5 },
];
