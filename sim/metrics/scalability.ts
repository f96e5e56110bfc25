/**
 * The Universal Scalability Law (Gunther, "Guerrilla Capacity Planning", 2007): what N threads get done in a second is
 *
 *                       λ N
 *   X(N)  =  ─────────────────────────────
 *             1 + σ (N - 1) + κ N (N - 1)
 *
 * with λ what one thread gets done, σ the share of the work that only one can do at a time (waiting for locks), and κ what
 * every thread costs every other one (lines and translations that go back and forth). With κ > 0 there is a number of threads
 * beyond which more of them get less done.
 */
export interface ScalabilityFit {
  /** λ, as the throughputs given. */
  readonly perThread: number;
  /** σ */
  readonly contention: number;
  /** κ */
  readonly coherence: number;
  /** Where X(N) is largest; null where it never falls. */
  readonly peakThreads: number | null;
  /** Share of the variance of the throughputs that the law explains. */
  readonly rSquared: number;
}

export interface ScalingPoint {
  readonly threads: number;
  readonly throughput: number;
}

export function throughputAt(fit: Pick<ScalabilityFit, 'perThread' | 'contention' | 'coherence'>, n: number): number {
  return (fit.perThread * n) / (1 + fit.contention * (n - 1) + fit.coherence * n * (n - 1));
}

/**
 * Least squares over N / X(N) = (1 + σ (N - 1) + κ N (N - 1)) / λ, which is linear in 1/λ, σ/λ and κ/λ; relative errors count, and
 * no coefficient may be negative. Needs two points with different numbers of threads; with two, κ is taken to be 0.
 */
export function fitScalability(points: readonly ScalingPoint[]): ScalabilityFit | undefined {
  const distinct = new Set(points.map((point) => point.threads)).size;
  if (distinct < 2 || points.some((point) => !(point.throughput > 0))) return undefined;
  const rows = points.map(({ threads: n, throughput }) => ({
    basis: [1, n - 1, n * (n - 1)],
    y: n / throughput,
  }));
  // Non-negative least squares over three coefficients: the best among all choices of which of them are 0.
  let best: number[] | undefined;
  let least = Infinity;
  for (const active of distinct === 2 ? [[0, 1], [0]] : [[0, 1, 2], [0, 1], [0, 2], [0]]) {
    const solved = solve(rows, active);
    if (!solved?.every((value) => value >= 0)) continue;
    const error = rows.reduce((sum, { basis, y }) => {
      const miss = basis.reduce((total, value, i) => total + value * solved[i]!, 0) / y - 1;
      return sum + miss * miss;
    }, 0);
    if (error < least * (1 - 1e-9)) {
      least = error;
      best = solved;
    }
  }
  if (!best || best[0] === 0) return undefined;
  const perThread = 1 / best[0]!;
  const contention = best[1]! * perThread;
  const coherence = best[2]! * perThread;
  const peak = coherence > 0 && contention < 1 ? Math.sqrt((1 - contention) / coherence) : null;
  const fit = { perThread, contention, coherence };
  const mean = points.reduce((sum, point) => sum + point.throughput, 0) / points.length;
  const total = points.reduce((sum, point) => sum + (point.throughput - mean) ** 2, 0);
  const missed = points.reduce((sum, point) => sum + (point.throughput - throughputAt(fit, point.threads)) ** 2, 0);
  return { ...fit, peakThreads: peak, rSquared: total === 0 ? 1 : 1 - missed / total };
}

/** Weighted normal equations over the active coefficients, by Gaussian elimination; the others are 0. */
function solve(
  rows: readonly { readonly basis: readonly number[]; readonly y: number }[],
  active: readonly number[],
): number[] | undefined {
  const size = active.length;
  const matrix = active.map((i) => [
    ...active.map((j) => rows.reduce((sum, { basis, y }) => sum + (basis[i]! * basis[j]!) / (y * y), 0)),
    rows.reduce((sum, { basis, y }) => sum + basis[i]! / y, 0),
  ]);
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let i = k + 1; i < size; i++) if (Math.abs(matrix[i]![k]!) > Math.abs(matrix[pivot]![k]!)) pivot = i;
    if (matrix[pivot]![k] === 0) return undefined;
    [matrix[k], matrix[pivot]] = [matrix[pivot]!, matrix[k]!];
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = matrix[i]![k]! / matrix[k]![k]!;
      for (let j = k; j <= size; j++) matrix[i]![j]! -= factor * matrix[k]![j]!;
    }
  }
  const result = [0, 0, 0];
  active.forEach((i, k) => {
    result[i] = matrix[k]![size]! / matrix[k]![k]!;
  });
  return result;
}
