import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom, shuffle } from '../../sim/contract/random.ts';
import { inRemovedFolder, onFullDisk, onReadOnly, underFileLimit, withoutRight } from './host/folders.ts';
import { killed } from './host/kills.ts';
import { ontoTarget, TARGETS } from './host/targets.ts';
import { COMMANDS, type WritingCommand } from './host/written.ts';

/**
 * npm run faults [-- --parts kills,disks,limits,rights,removals,targets --kills N --targets N --seed S --only WORD]
 *
 * Every command that writes is killed (SIGKILL) at N moments that are drawn, and runs where the disk is full but for so many KiB, where it
 * is read-only, where files may not grow, where the folder is another user's or goes meanwhile, and with something unusual under the name of each
 * of its outputs. What stands under a name afterwards is whole, or what was there before; what is refused is told in one line, with exit 2, and
 * leaves nothing. Exit 1 where that does not hold. Needs the rights of root: file systems are mounted.
 */
const PARTS = ['kills', 'disks', 'limits', 'rights', 'removals', 'targets'] as const;
type Part = (typeof PARTS)[number];
const { values } = parseArgs({
  options: {
    parts: { type: 'string', default: PARTS.join(',') },
    kills: { type: 'string', default: '6' },
    targets: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const random = createRandom(Number(values.seed), 'faults');
const base = mkdtempSync(join(tmpdir(), 'allocsim-faults-'));
const mount = join(base, 'disk');
let runs = 0;
let faults = 0;

function tell(command: WritingCommand, tried: number, wrong: readonly string[]): void {
  runs += tried;
  faults += wrong.length;
  if (wrong.length > 0) process.stdout.write(`sim ${command.args.join(' ')}\n${wrong.map((w) => `  ${w}\n`).join('')}`);
}

function onDisk(size: string, work: () => string[]): string[] {
  mkdirSync(mount, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mount], {
    encoding: 'utf8',
  });
  if (status !== 0) return [`no disk: ${stderr.trim()}`];
  try {
    return work();
  } finally {
    spawnSync('umount', [mount]);
  }
}

/** A command that takes about so long, in ms, when its folder goes. */
const REMOVED_AFTER_MS = [150, 400, 700];

/** So many of an output's targets, drawn anew for each; 0: all. */
function drawTargets() {
  const count = Number(values.targets) || TARGETS.length;
  const order = TARGETS.map((_, i) => i);
  shuffle(order, random);
  return order.slice(0, count).map((i) => TARGETS[i]!);
}

const WORK: Readonly<Record<Part, (command: WritingCommand) => Promise<void>>> = {
  async kills(command) {
    if (command.isLong) return;
    tell(command, Number(values.kills), await killed(base, command, Number(values.kills), random));
  },
  async disks(command) {
    tell(
      command,
      1,
      onDisk('4m', () => onReadOnly(mount, command)),
    );
    if (command.isLong) return;
    tell(
      command,
      4,
      onDisk('768k', () => onFullDisk(mount, command)),
    );
  },
  async limits(command) {
    if (!command.isLong) tell(command, 3, underFileLimit(base, command));
  },
  async rights(command) {
    tell(command, 2, withoutRight(base, command));
  },
  async removals(command) {
    if (command.isLong) return;
    for (const afterMs of REMOVED_AFTER_MS) tell(command, 1, await inRemovedFolder(base, command, { afterMs }));
  },
  async targets(command) {
    for (const name of command.writes) {
      for (const target of drawTargets()) {
        if (name.endsWith('/') || target.except?.test(name)) continue;
        if (command.isLong && (target.expected !== 'refused' || target.line !== undefined)) continue;
        const wrong = ontoTarget(base, command, name, target);
        tell(command, 1, wrong ? [`${name} is ${target.name}: ${wrong}`] : []);
      }
    }
  },
};

try {
  for (const part of values.parts.split(',') as Part[]) {
    const [ran, found] = [runs, faults];
    for (const command of COMMANDS) {
      if (command.args.join(' ').includes(values.only)) await WORK[part](command);
    }
    process.stdout.write(`${part}: ${runs - ran} runs, ${faults - found} faults\n`);
  }
} finally {
  rmSync(base, { recursive: true, force: true });
}
const left = readdirSync(tmpdir()).filter((name) => name.startsWith(`allocsim-`));
process.stdout.write(
  `${runs} runs, ${faults} faults; in the folder for temporary files: ${left.join(' ') || 'nothing'}\n`,
);
if (faults > 0) process.exitCode = 1;
