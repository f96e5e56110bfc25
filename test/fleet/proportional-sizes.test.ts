import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MachineDriver } from '../../fleet/machine/machine-driver.ts';
import { parseScenario } from '../../fleet/scenario/scenario.ts';
import { proportionalSizes, smapsRollup } from '../../machine/kernel/smaps.ts';

const MIB = 2 ** 20;
const name = fc.integer({ min: 0, max: 5 }).map((i) => `p${i}`);
const offset = fc.integer({ min: 0, max: 15 }).map((i) => i * MIB);
const length = fc.integer({ min: 1, max: 1024 }).map((pages) => pages * 4096);

const command = fc.oneof(
  fc.tuple(name, name).map(([one, two]) => `${one} fork ${two}`),
  fc
    .tuple(name, fc.constantFrom('A', 'S', 'F'), offset, length, fc.constantFrom('', ' read'))
    .map((x) => `${x[0]} touch ${x[1]} ${x[2]} ${x[3]}${x[4]}`),
  fc.tuple(name, offset, length).map((x) => `${x[0]} madvise A ${x[1]} ${x[2]} dontneed`),
  fc.tuple(name, offset, length).map((x) => `${x[0]} munmap A ${x[1]} ${x[2]}`),
  name.map((one) => `${one} exit`),
);

test.each(['never', 'always'])('shared parts kept from sample to sample are those of smaps_rollup, thp=%s', (thp) => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 5, maxLength: 60 }), (commands) => {
      const text = `duration: 1h\nmachine: { memory: 256M, swap: 256M, thp: ${thp} }\nservices: [{ name: p0 }]\n`;
      const driver = new MachineDriver(parseScenario(text, 'x.yaml'));
      for (const line of [
        'new p0',
        'p0 mmap A 20M private',
        'p0 mmap S 20M shared',
        'p0 truncate /mnt/f 20M',
        'p0 filemap F /mnt/f 20M private ro',
      ])
        driver.do(line);
      for (const line of commands) {
        const [who, what, whom] = line.split(' ') as [string, string, string];
        if (!driver.isAlive(who) || (what === 'fork' && driver.run.process(whom) !== undefined)) continue;
        driver.do(line);
        for (const { alive, task } of driver.run.processes) {
          if (!alive) continue;
          const rollup = smapsRollup(driver.run.k, task);
          const sizes = proportionalSizes(driver.run.k, task);
          expect(Math.floor(sizes.pssBytes / 1024)).toBe(rollup['Pss']);
          expect(Math.floor(sizes.pssAnonBytes / 1024)).toBe(rollup['Pss_Anon']);
        }
      }
    }),
    { numRuns: 60 },
  );
});
