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
import '../allocators/all.ts';

export { MODELS } from '../allocators/index.ts';
export type { AllocatorModel, ModelView, OptionDescriptor, OptionValue } from '../allocators/model.ts';
export { type AllocatorSpec, formatAllocator, parseAllocator } from '../allocators/spec.ts';
export {
  Historian,
  type MachineLine,
  MachineRun,
  type MachineRunOptions,
  type MachineSettings,
  type MachineSummary,
  machineSummary,
  machineSummaryText,
  renderView,
  runMachineScript,
} from '../machine/index.ts';
// The contract of a model, for those who write one.
export type {
  Allocator,
  AllocatorStats,
  AreaKind,
  AreaVisitor,
  Handle,
  RangeVisitor,
  RequestAllocator,
  ThreadSlot,
} from '../sim/contract/allocator.ts';
export { RANGE_CACHED, RANGE_FREE, RANGE_FREE_WITHIN, RANGE_LIVE, RANGE_METADATA } from '../sim/contract/allocator.ts';
export { assert, UserError } from '../sim/contract/assert.ts';
export type { EventBuffer } from '../sim/contract/event.ts';
export { createRandom } from '../sim/contract/random.ts';
export { alignUp } from '../sim/contract/units.ts';
export { MADV_DONTNEED } from '../sim/kernel/kernel.ts';
export { BRK_START_PAGE } from '../sim/kernel/layout.ts';
export type { Machine } from '../sim/kernel/machine.ts';
export type { Breakdown, Sample } from '../sim/metrics/sample.ts';
export { createEventBuilder } from '../workloads/builder.ts';
export type { Importer } from '../workloads/import/importer.ts';
export { IMPORTERS, type ImportOptions, importTrace } from '../workloads/import/index.ts';
export { type LoadedWorkload, resolveWorkload, WORKLOADS } from '../workloads/index.ts';
// Traces.
export { readTrace } from '../workloads/trace/reader.ts';
export { createTraceParser } from '../workloads/trace/text/parser.ts';
export { formatTrace } from '../workloads/trace/writer.ts';
export { defineWorkload, numberParameter, seedParameter, type Workload } from '../workloads/workload.ts';
export { type Verification, type VerifyOptions, verify } from './evidence/verify/verify.ts';
export { bencherMetrics, githubActionBenchmark } from './gate/benchmark-files.ts';
// Continuous integration.
export { checkGate, GATE_DEFAULTS, type GateCheck, type GateResult } from './gate/check.ts';
export { gateMarkdown, githubAnnotations } from './gate/github.ts';
export { junitXml } from './gate/junit.ts';
export { readResults } from './gate/result-files.ts';
export { runSuite } from './gate/suite.ts';
export { gateText } from './gate/text.ts';
export { readGateConfig } from './gate/thresholds.ts';
export { type Comparison, compareResults } from './metrics/comparison.ts';
export { METRICS, metricNamed, metricText } from './metrics/index.ts';
export type { Metric } from './metrics/metric.ts';
export { loadPlugin, type Plugin, registerPlugin } from './metrics/plugins.ts';
export { buildPageData, type ReportOptions } from './report/build-page.ts';
export { svgFigures } from './report/figures.ts';
export { histogramsOf } from './report/histograms.ts';
export { buildMachinePageData, type MachineReport, type MachineSample } from './report/machine-page.ts';
export { buildPage } from './report/page-document.ts';
export { plotText } from './report/plot-text.ts';
export type { ReportRun } from './report/report-run.ts';
export { summaryText } from './report/text/summary.ts';
export { type Assembled, assemble, type MachineOptions } from './run/machine.ts';
export { LockstepRun } from './run/modes/lockstep.ts';
export type { Mode, RunDescription, RunResult, Summary } from './run/result.ts';
// One run.
export { runInMode as run } from './run/run-in-mode.ts';
export type { RunOptions } from './run/run-options.ts';
export { rowsUntil } from './run/stop-point.ts';
export { VERSION } from './run/version.ts';
export { comparisonSchema } from './schema/comparison.ts';
export { explanationSchema } from './schema/explanation.ts';
export type { GateConfig, Suite, Threshold } from './schema/gate.ts';
export { gateConfigSchema, gateResultSchema, suiteResultSchema, suiteSchema } from './schema/gate.ts';
export { machineSchema } from './schema/machine.ts';
// Schemas of everything that is written and read as JSON (zod; as JSON Schema in schema/).
export { parseResult, runResultSchema } from './schema/result.ts';
export { planSchema, sweepSchema, tuneSchema } from './schema/search.ts';
export { splitAllocators } from './study/compare/allocator-list.ts';
// Several runs.
export { type CompareOptions, type CompareOutcome, compare } from './study/compare/compare.ts';
export { comparisonText } from './study/compare/text.ts';
// Where the memory is and why it stays.
export type { ExplainOptions } from './study/explain/conclude.ts';
export { explain } from './study/explain/explain.ts';
export type { Explanation, Verdict, VerdictKind } from './study/explain/explanation.ts';
export type { PinningBlock, PinningGroup } from './study/explain/heap/pinning.ts';
export type { ReturnPrediction } from './study/explain/heap/returns.ts';
export type { WhatIf } from './study/explain/settings/what-if.ts';
export { explanationText } from './study/explain/text.ts';
export { createRunner, type RunAllOptions, type Runner, runAll } from './study/parallel/run-all.ts';
export { type RunTask, runTask } from './study/parallel/run-task.ts';
export { type PlanOptions, type PlanResult, plan } from './study/plan/plan.ts';
export { planText } from './study/plan/text.ts';
// Pictures.
export { recordRun } from './study/record.ts';
export { type SweepOptions, type SweepResult, sweep } from './study/sweep/sweep.ts';
export { sweepText } from './study/sweep/text.ts';
export { tuneText } from './study/tune/text.ts';
export { type TuneOptions, type TuneResult, tune } from './study/tune/tune.ts';
