import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parseCpuList, readTopology, unmeasured } from '../../bench/evidence/host-topology.ts';
import { COST_PROFILES } from '../../sim/time/costs.ts';
import { parseCosts } from '../../sim/time/price-list.ts';
import { CALIBRATED, createTopology, TOPOLOGIES, TOPOLOGY_NAMES } from '../../sim/time/topology.ts';
import { temporaryFolder } from '../helpers/temporary.ts';

test('a line costs the same both ways, nothing at home, and no less from farther away', () => {
  for (const name of TOPOLOGY_NAMES.filter((n) => n !== CALIBRATED)) {
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

const MEASURED = {
  core: [0, 1, 0, 1],
  llc: [0, 1, 0, 1],
  socket: [0, 0, 0, 0],
  lineNs: [
    [0, 80, 6, 81],
    [80, 0, 82, 7],
    [6, 82, 0, 83],
    [81, 7, 83, 0],
  ],
};

test('a price list has the machine that it was measured on', () => {
  const costs = parseCosts(JSON.stringify({ base: 'bare-metal', topology: MEASURED, unmeasured: ['x'] }), 'cal.json');
  const auto = createTopology('auto', 4, 33, costs.topology);
  expect(auto.name).toBe(CALIBRATED);
  expect([auto.transferNs(0, 2), auto.transferNs(2, 3), auto.transferNs(3, 1)]).toEqual([6, 83, 7]);
  expect([...auto.llc, auto.llcSize]).toEqual([0, 1, 0, 1, 2]);
  // It says nothing of a larger one.
  expect(createTopology('auto', 5, 33, costs.topology).name).toBe('milan');
  expect(() => createTopology(CALIBRATED, 5, 33, costs.topology)).toThrow('found one of 4 processors, expected 5');
  expect(() => createTopology(CALIBRATED, 2, 33, COST_PROFILES['vm']!.topology)).toThrow(
    'found none in the price list',
  );
});

test.each([
  ['no matrix', { ...MEASURED, lineNs: undefined }],
  ['a row too few', { ...MEASURED, lineNs: MEASURED.lineNs.slice(1) }],
  ['a line of no time', { ...MEASURED, lineNs: MEASURED.lineNs.map((row) => row.map(() => 0)) }],
  ['a core that is none', { ...MEASURED, core: [0, 1, 2, 4] }],
  ['a text', 'milan'],
])('a price list with %s is refused', (_, topology) => {
  expect(() => parseCosts(JSON.stringify({ topology }), 'cal.json')).toThrow('cal.json: topology: expected');
});

test('Linux’s lists of processors', () => {
  expect(parseCpuList('0-3,8,10-11\n')).toEqual([0, 1, 2, 3, 8, 10, 11]);
  expect(parseCpuList('')).toEqual([]);
});

test('what a machine of this shape cannot tell', () => {
  expect(unmeasured(MEASURED).join()).toMatch(/^with one socket/);
  const two = { core: [0, 1], llc: [0, 0], socket: [0, 0], lineNs: [] };
  expect(unmeasured(two)).toHaveLength(4);
});

test('the machine as /sys has it', () => {
  const root = temporaryFolder();
  // Two cores of two threads, each with a cache of its own behind the first one; the second pair on another socket.
  for (const cpu of [0, 1, 2, 3]) {
    const siblings = cpu % 2 === 0 ? '0,2' : '1,3';
    const files = {
      'topology/core_cpus_list': siblings,
      'topology/physical_package_id': String(cpu % 2),
      'cache/index0/level': '1',
      'cache/index0/shared_cpu_list': siblings,
      'cache/index3/level': '3',
      'cache/index3/shared_cpu_list': '0-3',
    };
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, `cpu${cpu}`, file)), { recursive: true });
      writeFileSync(join(root, `cpu${cpu}`, file), `${text}\n`);
    }
  }
  expect(readTopology([0, 1, 2, 3], root)).toEqual({ core: [0, 1, 0, 1], llc: [0, 0, 0, 0], socket: [0, 1, 0, 1] });
  // A part of the processors is numbered from 0 on; where nothing is known each is a core.
  expect(readTopology([1, 3], root)).toEqual({ core: [0, 0], llc: [0, 0], socket: [0, 0] });
  expect(readTopology([5, 6], root)).toEqual({ core: [0, 1], llc: [0, 0], socket: [0, 0] });
});
