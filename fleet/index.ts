/** Fleets as a library: a scenario's text in, its answer out. */

export {
  type FleetExecutor,
  type FleetOutcome,
  type FleetTask,
  runFleetTaskHere,
  scenarioOfTask,
} from './fleet-task.ts';
export { type FleetPlan, fleetPlanCsv, planFleet } from './plan.ts';
export { fleetCsv } from './report/csv.ts';
export { eventLines } from './report/events-text.ts';
export { severityMark } from './report/finding.ts';
export { logText } from './report/log-text.ts';
export { fleetOpenMetrics } from './report/openmetrics.ts';
export { fleetPlanText } from './report/plan-text.ts';
export { tableOfSettings } from './report/settings-table.ts';
export { fleetText, isCut, lengthText, poolText } from './report/text.ts';
export { type FleetRun, runFleet } from './run-fleet.ts';
export { builtInScenario, builtInScenarios } from './scenario/built-in.ts';
export { looksLikeScenario } from './scenario/looks-like.ts';
export { parseScenario, type Scenario } from './scenario/scenario.ts';
export { FILE_SOURCES, type FleetSources } from './scenario/sources.ts';
export { filesOfScenario } from './scenario-files.ts';
export { type FleetResult, studyFleet } from './study.ts';
