import type { EventBuffer, PassingTrace } from '../../sim/contract/event.ts';
import { glibcSettings, jemallocSettings, type RecordedSettings, zendSettings } from './recorded-settings.ts';

type Recorded = Pick<EventBuffer | PassingTrace, 'recorded'>;

/** As in --allocator: what the recorded program ran under, with what its environment set; glibc for whatever was not recorded. */
export function recordedAllocator(events: Recorded): string {
  const machine = new Map(events.recorded.machine);
  const { below, zend } = settingsOf(events);
  const libc = `${isJemalloc(events) ? 'jemalloc' : 'glibc'}${optionsOf(below)}`;
  const version = machine.get('zend');
  if (version === undefined) return libc;
  return `zendmm@${version.startsWith('3.') ? '7.1' : '8.2'}${optionsOf(zend)}+${libc}`;
}

/** What the program's environment set of its allocator, and a run leaves out. */
export function ignoredSettings(events: Recorded): readonly string[] {
  return settingsOf(events).below.ignored;
}

function settingsOf(events: Recorded): { readonly below: RecordedSettings; readonly zend: RecordedSettings } {
  return { below: settingsBelow(events), zend: zendSettings(events.recorded.environment) };
}

function settingsBelow(events: Recorded): RecordedSettings {
  const { environment, machine } = events.recorded;
  if (isJemalloc(events)) return jemallocSettings(environment, new Map(machine).get('malloc_conf'));
  return servedByGlibc(events) ? glibcSettings(environment) : { options: [], ignored: [] };
}

/** The name of the library; nothing in traces of other tools. */
const libraryOf = ({ recorded }: Recorded): string => new Map(recorded.machine).get('allocator') ?? '';

const isJemalloc = (events: Recorded): boolean => libraryOf(events).includes('jemalloc');

const servedByGlibc = (events: Recorded): boolean => /^(libc[.-]|$)/.test(libraryOf(events));

const optionsOf = ({ options }: RecordedSettings): string => (options.length > 0 ? `:${options.join(',')}` : '');
