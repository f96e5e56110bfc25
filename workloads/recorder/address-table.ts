/** Maps addresses (integers below 2^53, not 0) to numbers, with open addressing and linear probing. */
export interface AddressTable {
  /** -1 where the address is not in the table. */
  get(address: number): number;
  set(address: number, value: number): void;
  /** What it was mapped to, -1 for nothing. */
  take(address: number): number;
  forEach(visit: (address: number, value: number) => void): void;
}

export function createAddressTable(): AddressTable {
  let mask = 4095;
  let keys = new Float64Array(4096); // 0: the place is empty
  let values = new Int32Array(4096);
  let used = 0;

  function home(address: number): number {
    const high = (address / 2 ** 32) | 0;
    return (Math.imul(address ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1) >>> 7) & mask; // ^ takes the low 32 bits
  }

  function find(address: number): number {
    let i = home(address);
    while (keys[i] !== 0 && keys[i] !== address) i = (i + 1) & mask;
    return i;
  }

  function grow(): void {
    const [oldKeys, oldValues] = [keys, values];
    keys = new Float64Array(oldKeys.length * 4);
    values = new Int32Array(oldKeys.length * 4);
    mask = keys.length - 1;
    for (let i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] === 0) continue;
      const place = find(oldKeys[i]!);
      keys[place] = oldKeys[i]!;
      values[place] = oldValues[i]!;
    }
  }

  return {
    get(address) {
      const i = find(address);
      return keys[i] === 0 ? -1 : values[i]!;
    },
    set(address, value) {
      let i = find(address);
      if (keys[i] === 0) {
        if (++used * 2 > mask) {
          grow();
          i = find(address);
        }
        keys[i] = address;
      }
      values[i] = value;
    },
    take(address) {
      let hole = find(address);
      if (keys[hole] === 0) return -1;
      const value = values[hole]!;
      used--;
      for (let i = (hole + 1) & mask; keys[i] !== 0; i = (i + 1) & mask) {
        if (((i - home(keys[i]!)) & mask) < ((i - hole) & mask)) continue;
        keys[hole] = keys[i]!;
        values[hole] = values[i]!;
        hole = i;
      }
      keys[hole] = 0;
      return value;
    },
    forEach(visit) {
      for (let i = 0; i < keys.length; i++) if (keys[i] !== 0) visit(keys[i]!, values[i]!);
    },
  };
}
