import type { Area } from './area.ts';
import { imports } from './areas/imports.ts';
import { json } from './areas/json.ts';
import { optionLines } from './areas/option-lines.ts';
import { options } from './areas/options.ts';
import { programs } from './areas/programs.ts';
import { recorderLog } from './areas/recorder-log.ts';
import { specs } from './areas/specs.ts';
import { htb, text } from './areas/traces.ts';

/** Every area, and its share of the inputs in parts of a hundred. */
export const AREAS: readonly { readonly area: Area; readonly share: number }[] = [
  { area: text, share: 18 },
  { area: htb, share: 18 },
  { area: imports, share: 20 },
  { area: specs, share: 10 },
  { area: json, share: 10 },
  { area: recorderLog, share: 10 },
  { area: options, share: 4 },
  { area: optionLines, share: 5 },
  { area: programs, share: 5 },
];
