/** For a mistyped name: `did you mean 'x'?`, or all that is known where nothing is near. */
export function suggestion(found: string, known: readonly string[]): string {
  const near = nearest(found, known);
  return near ? `, did you mean '${near}'?` : `, expected one of ${known.join(', ')}`;
}

/** No name is as long. */
const LONGEST = 100;

/** The known name that is so few edits away that it may be meant; undefined where none is. */
export function nearest(found: string, known: readonly string[]): string | undefined {
  if (found.length > LONGEST) return undefined;
  let best: string | undefined;
  let least = Math.max(2, Math.floor(found.length / 3)) + 1;
  for (const name of known) {
    const distance = editDistance(found, name);
    // Where half of the letters are others it is another word.
    if (distance < least && 2 * distance < Math.max(found.length, name.length)) {
      least = distance;
      best = name;
    }
  }
  return best;
}

/** Letters put in, left out, taken for another, and neighbours that changed places. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(
        Math.min(
          row[j]! + 1,
          next[j - 1]! + 1,
          row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
          isSwapped ? before[j - 2]! + 1 : Infinity,
        ),
      );
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
