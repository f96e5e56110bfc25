import { expect, test } from 'vitest';
import { createTopology, TOPOLOGIES, TOPOLOGY_NAMES } from '../../sim/time/topology.ts';

test('a line costs the same both ways, nothing at home, and no less from farther away', () => {
  for (const name of TOPOLOGY_NAMES) {
    for (const cpus of [1, 2, 9, 64, 200]) {
      const { transferNs, llc, socket } = createTopology(name, cpus, 30);
      for (let p = 0; p < cpus; p += 3) {
        expect(transferNs(p, p)).toBe(0);
        for (let q = 0; q < cpus; q++) {
          expect(transferNs(p, q)).toBe(transferNs(q, p));
          if (p !== q) expect(transferNs(p, q)).toBeGreaterThan(0);
          if (llc[p] === llc[q]) expect(socket[p]).toBe(socket[q]);
        }
      }
    }
  }
});

test('processors are numbered as Linux does: cores first, then their second threads', () => {
  const { core, llc, socket, transferNs } = createTopology('milan', 192, 30);
  expect([core[0], core[95], core[96], core[191]]).toEqual([0, 95, 0, 95]);
  expect([llc[7], llc[8], socket[47], socket[48]]).toEqual([0, 1, 0, 1]);
  expect([transferNs(0, 96), transferNs(0, 7), transferNs(0, 8), transferNs(0, 48)]).toEqual([
    ...TOPOLOGIES['milan']!.lineNs,
  ]);
});

test('two processors are the machine of the price list, more are its larger sister', () => {
  expect(createTopology('auto', 2, 33).transferNs(0, 1)).toBe(33);
  expect(createTopology('auto', 3, 33).name).toBe('milan');
  expect(() => createTopology('z80', 2, 33)).toThrow("--topology: found 'z80'");
});
