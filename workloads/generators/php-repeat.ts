import { BREATH_STEPS } from '../breathing.ts';
import { createEventBuilder } from '../builder.ts';
import { defineWorkload, numberParameter } from '../workload.ts';
import { baselineBytes, engineBlocks, PHP_PARAMETERS, stringBytes } from './php-process.ts';

/** `$a = str_repeat('a', 10 MiB); unset($a);` and what memory_get_usage() says before, between and after. */
export const phpRepeat = defineWorkload({
  name: 'php-repeat',
  about: 'PHP: one large string, made and unset; memory_get_usage() at each step',
  parameters: {
    ...PHP_PARAMETERS,
    bytes: numberParameter(10485760, 'bytes', 'of the string', { min: 1, max: 2 ** 31 }),
    times: numberParameter(1, 'times', 'that it is made and unset', { min: 1, max: 1e6 }),
  },
  cpus: () => 1,
  *generate({ php, baseline, bytes, times }) {
    const usage = baselineBytes('php-repeat', php, baseline);
    const events = createEventBuilder({ name: `php-repeat: a string of ${bytes} bytes, PHP ${php}` });
    events.requestBegin(0);
    engineBlocks(events, php, usage);
    events.sample('start');
    for (let i = 0; i < times; i++) {
      if (i % BREATH_STEPS === 0) yield;
      const string = events.emalloc(0, stringBytes(php, bytes));
      events.sample(times === 1 ? 'string' : `string ${i + 1}`);
      events.efree(0, string);
      events.sample(times === 1 ? 'unset' : `unset ${i + 1}`);
    }
    events.requestEnd(0);
    events.sample('request ended');
    return events.finish();
  },
});
