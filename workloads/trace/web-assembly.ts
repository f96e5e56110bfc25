import { readFileSync } from 'node:fs';

/** What of WebAssembly is used: Node has it, its types do not. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

const FOLDER = new URL(import.meta.url.includes('/dist/') ? './' : '../../dist/workloads/trace/', import.meta.url);
const PAGE_BYTES = 1 << 16;

const modules = new Map<string, object>();

/**
 * What `name` is compiled to, with a memory of so many bytes of its own, which are zero. Undefined where this host has no WebAssembly, an old processor, or too
 * little address space: everything can be done without.
 */
export function openWebAssembly<Exports>(
  name: 'lines' | 'rows',
  bytes: number,
): { readonly buffer: ArrayBuffer; readonly exports: Exports } | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const module = modules.get(name);
  const code = module ? undefined : readFileSync(new URL(`${name}.wasm`, FOLDER));
  try {
    const compiled = module ?? new WebAssembly.Module(code!);
    modules.set(name, compiled);
    const pages = Math.ceil(bytes / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
    return { buffer: memory.buffer, exports: exports as Exports };
  } catch {
    return undefined;
  }
}
