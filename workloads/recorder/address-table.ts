/** Maps addresses (in units of 8 bytes, below 2^44, not 0) to numbers from 0 to 2^31 - 2. */
export interface AddressTable {
  /** -1 where the address is not in the table. */
  get(address: number): number;
  /** What it was mapped to, -1 for nothing. */
  set(address: number, value: number): number;
  /** Likewise; it is mapped to nothing now. */
  take(address: number): number;
}

/** A leaf is for 128 bytes of addresses, a group for 16 KiB. */
const LG_LEAF = 4;
const LEAF = 1 << LG_LEAF;
const LG_GROUP = 7;
const GROUP = 1 << LG_GROUP;
const GROUP_ADDRESSES = GROUP * LEAF;

/**
 * What was allocated together is looked up together.
 *
 *   directory, a hash         groups                 cells
 *   address / 16 KiB ──────>  128 leaves each ────>  16 each: 1 + value; 0: nothing
 */
export function createAddressTable(): AddressTable {
  let mask = 63;
  let keys = new Float64Array(mask + 1); // 1 + address / GROUP_ADDRESSES; 0: the place is empty
  let groupOf = new Int32Array(mask + 1);
  let groups = new Int32Array(32 * GROUP); // 1 + leaf; 0: none
  let groupCount = 0;
  let cells = new Int32Array(64 * LEAF);
  let leafCount = 0;
  let lastKey = 0;
  let lastGroup = 0;

  function placeOf(key: number): number {
    let i = (Math.imul(key | 0, 0x9e3779b1) >>> 12) & mask;
    while (keys[i] !== 0 && keys[i] !== key) i = (i + 1) & mask;
    return i;
  }

  /** -1: there is none. */
  function findGroup(key: number): number {
    if (key === lastKey) return lastGroup;
    const i = placeOf(key);
    if (keys[i] === 0) return -1;
    lastKey = key;
    lastGroup = groupOf[i]!;
    return lastGroup;
  }

  function addGroup(key: number): number {
    if (groupCount * GROUP === groups.length) growDirectory();
    const i = placeOf(key);
    keys[i] = key;
    groupOf[i] = groupCount;
    return groupCount++;
  }

  function growDirectory(): void {
    const [oldKeys, oldGroups] = [keys, groupOf];
    groups = grown(groups);
    mask = 4 * mask + 3; // as many more places as groups
    keys = new Float64Array(mask + 1);
    groupOf = new Int32Array(mask + 1);
    for (let i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] === 0) continue;
      const place = placeOf(oldKeys[i]!);
      keys[place] = oldKeys[i]!;
      groupOf[place] = oldGroups[i]!;
    }
  }

  function addLeaf(place: number): number {
    if (leafCount << LG_LEAF === cells.length) cells = grown(cells);
    groups[place] = ++leafCount;
    return leafCount;
  }

  /** Where the address has its cell; -1: it has none. */
  function find(address: number): number {
    const high = Math.floor(address / GROUP_ADDRESSES);
    const group = findGroup(high + 1);
    if (group < 0) return -1;
    const low = address - high * GROUP_ADDRESSES;
    const leaf = groups[(group << LG_GROUP) | (low >> LG_LEAF)]!;
    return leaf === 0 ? -1 : ((leaf - 1) << LG_LEAF) | (low & (LEAF - 1));
  }

  function make(address: number): number {
    const high = Math.floor(address / GROUP_ADDRESSES);
    let group = findGroup(high + 1);
    if (group < 0) group = addGroup(high + 1);
    const low = address - high * GROUP_ADDRESSES;
    const place = (group << LG_GROUP) | (low >> LG_LEAF);
    const leaf = groups[place] === 0 ? addLeaf(place) : groups[place]!;
    return ((leaf - 1) << LG_LEAF) | (low & (LEAF - 1));
  }

  return {
    get(address) {
      const cell = find(address);
      return cell < 0 ? -1 : cells[cell]! - 1;
    },
    set(address, value) {
      const cell = make(address);
      const old = cells[cell]!;
      cells[cell] = value + 1;
      return old - 1;
    },
    take(address) {
      const cell = find(address);
      if (cell < 0) return -1;
      const old = cells[cell]!;
      cells[cell] = 0;
      return old - 1;
    },
  };
}

/** By a factor of four: what is copied costs, what is too long is not committed. */
function grown(old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 4);
  larger.set(old);
  return larger;
}
