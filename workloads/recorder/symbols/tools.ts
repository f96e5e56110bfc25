import { spawnSync } from 'node:child_process';

/** One function at an address: the code there was inlined from the first into the second, and so on. */
export interface PlaceInCode {
  /** '' where it is not known. */
  readonly functionName: string;
  readonly file: string;
  readonly line: number;
}

const OUTPUT_BYTES_MAX = 2 ** 30;

/** Undefined where the tool is not there, or fails. */
function run(tool: string, options: readonly string[], input: string): string | undefined {
  const { status, stdout } = spawnSync(tool, options, {
    input,
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, LC_ALL: 'C', DEBUGINFOD_URLS: '' },
  });
  return status === 0 ? stdout : undefined;
}

/** By address, its functions from the inside, as addr2line of the binutils reads them from debug information. */
export function addressesToLines(file: string, addresses: readonly number[]): Map<number, PlaceInCode[]> | undefined {
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join('');
  const output = run('addr2line', ['-a', '-f', '-i', '-e', file], input);
  if (output === undefined) return undefined;
  const found = new Map<number, PlaceInCode[]>();
  const lines = output.split('\n');
  let places: PlaceInCode[] = [];
  for (let i = 0; i + 1 < lines.length; ) {
    const line = lines[i]!;
    if (/^0x[0-9a-f]{8,16}$/.test(line)) {
      places = [];
      found.set(Number.parseInt(line, 16), places);
      i++;
      continue;
    }
    const place = placeOf(line, lines[i + 1]!);
    if (place.functionName !== '' || place.file !== '') places.push(place);
    i += 2;
  }
  return found;
}

function placeOf(name: string, place: string): PlaceInCode {
  const [, file = '', line = '0'] = /^(.*):(\d+|\?)(?: \(discriminator \d+\))?$/.exec(place) ?? [];
  const isKnown = file !== '' && file !== '??';
  return { functionName: name === '??' ? '' : name, file: isKnown ? file : '', line: isKnown ? Number(line) || 0 : 0 };
}

/** C++'s and Rust's names as people write them; as they are where there is no tool. */
export function demangled(names: readonly string[]): Map<string, string> {
  const mangled = [...new Set(names)].filter((name) => /^_[ZR]/.test(name));
  const output = mangled.length > 0 ? run('c++filt', [], `${mangled.join('\n')}\n`) : undefined;
  const plain = output?.split('\n') ?? [];
  return new Map(mangled.map((name, i) => [name, withoutHashes(name, plain[i] || name)]));
}

/** What Rust puts into its names to tell apart crates and functions of one name. */
function withoutHashes(mangled: string, plain: string): string {
  return mangled.startsWith('_R') ? plain.replace(/\b\[[0-9a-f]+\]/g, '') : plain.replace(/::h[0-9a-f]{16}$/, '');
}
