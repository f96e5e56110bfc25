/**
 * allocsim as a library: everything that the commands do, as functions.
 *
 *   const workload = await resolveWorkload('lanczos-im6');
 *   const spec = parseAllocator('glibc@2.36:arena_max=2', 32);
 *   const result = await run({ events: workload.events, workload: workload.name, spec, cpus: 32, mode: 'virtual' });
 *
 * A bad argument or file throws a UserError with one line for people; anything else that is thrown is a fault of
 * allocsim. Results are plain data; the schemas of all of them are in schema/.
 */

// Naming things.
export { MODELS } from '../allocators/index.ts';
export type { AllocatorModel, ModelView, OptionDescriptor, OptionValue } from '../allocators/model.ts';
export { type AllocatorSpec, formatAllocator, parseAllocator } from '../allocators/spec.ts';
export { splitAllocators } from './study/compare/allocator-list.ts';
export { type LoadedWorkload, resolveWorkload, WORKLOADS } from '../workloads/index.ts';
export { defineWorkload, numberParameter, seedParameter, type Workload } from '../workloads/workload.ts';
export { UserError } from '../sim/contract/assert.ts';

// Traces.
export { readTrace } from '../workloads/trace/reader.ts';
export { createTraceParser } from '../workloads/trace/parser.ts';
export { importTrace, IMPORTERS, type ImportOptions } from '../workloads/import/index.ts';
export type { Importer } from '../workloads/import/importer.ts';
export { formatTrace } from '../workloads/trace/writer.ts';
export type { EventBuffer } from '../sim/contract/event.ts';

export { verify, type Verification, type VerifyOptions } from './evidence/verify/verify.ts';

// One run.
export { runSession as run } from './run/run-session.ts';
export { Session, type SessionOptions } from './run/session.ts';
export { assemble, type Assembled, type MachineOptions } from './run/machine.ts';
export type { Mode, RunDescription, RunResult, Summary } from './run/result.ts';
export type { Breakdown, Sample } from '../sim/metrics/sample.ts';
export { summaryText } from './report/text/summary.ts';
export { rowsUntil } from './run/stop-point.ts';

// Where the memory is and why it stays.
export { explain, type ExplainOptions } from './study/explain/explain.ts';
export type { Explanation, Verdict, VerdictKind } from './study/explain/explanation.ts';
export { explanationText } from './study/explain/text.ts';
export type { PinningBlock, PinningGroup } from './study/explain/pinning.ts';
export type { ReturnPrediction } from './study/explain/returns.ts';
export type { WhatIf } from './study/explain/what-if.ts';

// Several runs.
export { compare, type CompareOptions, type CompareOutcome } from './study/compare/compare.ts';
export { type Comparison, compareResults } from './study/compare/comparison.ts';
export { comparisonText } from './study/compare/text.ts';
export { sweep, type SweepOptions, type SweepResult } from './study/sweep/sweep.ts';
export { sweepText } from './study/sweep/text.ts';
export { tune, type TuneOptions, type TuneResult } from './study/tune/tune.ts';
export { tuneText } from './study/tune/text.ts';
export { plan, type PlanOptions, type PlanResult } from './study/plan/plan.ts';
export { planText } from './study/plan/text.ts';
export { createRunner, runAll, type RunAllOptions, type Runner } from './study/parallel/run-all.ts';
export { type RunTask, runTask } from './study/parallel/run-task.ts';
export { METRICS, metricNamed, metricText } from './metrics/index.ts';
export type { Metric } from './metrics/metric.ts';

// Pictures.
export { recordRun } from './run/record.ts';
export { buildPage, buildPageData, type ReportOptions, type ReportRun } from './report/build-page.ts';
export { histogramsOf } from './report/histograms.ts';
export { svgFigures } from './report/figures.ts';
export { plotText } from './report/picture-options.ts';

// Continuous integration.
export { checkGate, GATE_DEFAULTS, type GateCheck, type GateResult } from './gate/check.ts';
export { runSuite } from './gate/suite.ts';
export { readResults } from './gate/result-files.ts';
export { gateText } from './gate/text.ts';
export { junitXml } from './gate/junit.ts';
export { gateMarkdown, githubAnnotations } from './gate/github.ts';
export { bencherMetrics, githubActionBenchmark } from './gate/benchmark-files.ts';
export type { GateConfig, Suite, Threshold } from './schema/gate.ts';

// Schemas of everything that is written and read as JSON (zod; as JSON Schema in schema/).
export { parseResult, runResultSchema } from './schema/result.ts';
export { comparisonSchema } from './schema/comparison.ts';
export { explanationSchema } from './schema/explanation.ts';
export { gateConfigSchema, gateResultSchema, suiteResultSchema, suiteSchema } from './schema/gate.ts';
export { planSchema, sweepSchema, tuneSchema } from './schema/search.ts';

// The contract of a model, for those who write one.
export type {
  Allocator,
  AllocatorStats,
  AreaKind,
  AreaVisitor,
  Handle,
  Machine,
  RangeVisitor,
  RequestAllocator,
  ThreadSlot,
} from '../sim/contract/allocator.ts';
export { RANGE_CACHED, RANGE_FREE, RANGE_LIVE, RANGE_METADATA } from '../sim/contract/allocator.ts';
export { VERSION } from './run/version.ts';
