import { mkdirSync, writeFileSync } from 'node:fs';
import { describeCommands } from '../cli/describe.ts';
import { manualPage } from '../cli/manual.ts';
import { VERSION } from '../run/version.ts';
import { ABOUT, EPILOGUE } from './help.ts';
import { COMMANDS } from './index.ts';

/** Part of the build: dist/man/allocsim.1, and sim.1, which refers to it. */
const folder = new URL('../../man/', import.meta.url);
mkdirSync(folder, { recursive: true });
const page = manualPage(await describeCommands(COMMANDS), { version: VERSION, about: ABOUT, epilogue: EPILOGUE });
writeFileSync(new URL('allocsim.1', folder), page);
writeFileSync(new URL('sim.1', folder), '.so man1/allocsim.1\n');
