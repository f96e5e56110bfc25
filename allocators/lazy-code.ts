import { assert } from '../sim/contract/assert.ts';

/** Code of a model that a command loads when a run needs it: a third of what starting takes is the models that are not asked for. */
export interface LazyCode<T> {
  load(): Promise<void>;
  /** Hands over what has been loaded otherwise. */
  put(code: T): void;
  get(): T;
}

export function lazyCode<T>(model: string, load: () => Promise<T>): LazyCode<T> {
  let code: T | undefined;
  return {
    async load() {
      code ??= await load();
    },
    put(loaded) {
      code = loaded;
    },
    get() {
      assert(code !== undefined, `the code of ${model} is not loaded: await loadModel() first`);
      return code;
    },
  };
}
