import {
  checkGate,
  compare,
  explain,
  explanationText,
  gateText,
  parseAllocator,
  type RunOptions,
  resolveWorkload,
  run,
} from '../../bench/index.ts';

/** Replays a workload, explains it, compares two settings, and gates the one against the other. */
export async function tour(name: string): Promise<{ peakBytes: number; explanation: string; gate: string }> {
  const workload = await resolveWorkload(name);
  const cpus = workload.cpus ?? 4;
  const options: RunOptions = {
    events: workload.events,
    workload: workload.name,
    parameters: workload.parameters,
    spec: parseAllocator('glibc@2.36', cpus),
    cpus,
    mode: 'lockstep',
  };

  const result = await run(options);
  const explanation = explain({ ...options, whatIf: false });

  const { runs } = await compare({
    load: async () => ({
      events: workload.events,
      workload: workload.name,
      parameters: workload.parameters,
      cpus,
      mode: 'lockstep',
      pace: 'asap',
    }),
    allocators: ['glibc@2.36', 'glibc@2.36:mmap_threshold=131072'],
    workers: 1,
  });
  // The second run poses as the new state of the first.
  const [before, after] = runs.map((column) => column[0]!);
  const head = { ...after!, run: before!.run };
  const gate = checkGate([before!], [head], { thresholds: { rssPeakBytes: {}, syscalls: { percent: 50 } } });

  return { peakBytes: result.summary.rssPeakBytes, explanation: explanationText(explanation), gate: gateText(gate) };
}
