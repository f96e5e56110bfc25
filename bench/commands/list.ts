import type { Argv, CommandModule } from 'yargs';
import { MODELS } from '../../allocators/index.ts';
import type { OptionDescriptor } from '../../allocators/model.ts';
import { builtInScenarios } from '../../fleet/index.ts';
import { MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { columns } from '../../sim/contract/format.ts';
import { WORKLOADS } from '../../workloads/index.ts';
import { answer } from '../cli/answer.ts';
import { type AnswerArguments, answerOptions } from '../cli/answer-options.ts';
import { tablesCsv } from '../report/tables-csv.ts';

type What = 'workloads' | 'allocators' | 'options' | 'scenarios';

interface ListArguments extends AnswerArguments {
  what: What | undefined;
}

export const listCommand: CommandModule<object, ListArguments> = {
  command: 'list [what]',
  describe: 'what there is: workloads, allocators, options, scenarios of machines',
  builder: (yargs: Argv) =>
    answerOptions(yargs, { csv: 'the same' }).positional('what', {
      choices: ['workloads', 'allocators', 'options', 'scenarios'] as const,
      describe: 'only this; all without it',
    }) as unknown as Argv<ListArguments>,
  handler: (argv) => {
    const wants = (part: What) => argv.what === undefined || argv.what === part;
    const listed: Listed = {
      ...(wants('workloads') && { workloads: WORKLOADS.map(({ generate: _, ...rest }) => rest) }),
      ...((wants('allocators') || wants('options')) && { allocators: MODELS.map(describeModel) }),
      ...(wants('scenarios') && { scenarios: scenarios() }),
    };
    return answer(
      argv,
      listed,
      () => listText(wants),
      () => listCsv(listed),
    );
  },
};

function listText(wants: (part: What) => boolean): string {
  const lines: string[] = [];
  if (wants('workloads')) lines.push('Workloads (name:parameter=value,…)', ...workloadLines());
  if (wants('allocators')) lines.push('', 'Allocators (name[@version][:option=value,…][+below])', ...allocatorLines());
  if (wants('options'))
    for (const model of MODELS)
      lines.push('', `Options of ${model.name}`, ...optionLines(model.options, model.versions[0]!));
  if (wants('scenarios')) lines.push('', 'Scenarios (sim machine NAME)', ...scenarioLines());
  return `${lines.join('\n').trimStart()}\n`;
}

interface Listed {
  readonly workloads?: readonly Omit<(typeof WORKLOADS)[number], 'generate'>[];
  readonly allocators?: readonly ReturnType<typeof describeModel>[];
  readonly scenarios?: readonly { readonly name: string; readonly shows: string }[];
}

/** A line a fact of each. */
function listCsv({ workloads = [], allocators = [], scenarios: machines = [] }: Listed): string {
  return tablesCsv([
    {
      name: 'workloads',
      rows: workloads.map(({ name, about, parameters }) => [
        name,
        { about, parameters: Object.fromEntries(parameters.map(({ name: parameter, ...rest }) => [parameter, rest])) },
      ]),
    },
    {
      name: 'allocators',
      rows: allocators.map(({ name, options: _, ...facts }) => [name, facts]),
    },
    ...allocators.map(({ name, options }) => ({
      name: `options of ${name}`,
      rows: options.map(({ name: option, ...facts }) => [option, facts] as const),
    })),
    { name: 'scenarios', rows: machines.map(({ name, ...facts }) => [name, facts]) },
  ]);
}

function workloadLines(): string[] {
  return WORKLOADS.flatMap((w) => [
    `  ${w.name}  ${w.about}`,
    ...columns(w.parameters.map(parameterRow), 'l', '      '),
  ]);
}

/** Longer defaults stand behind what they are of: a column as wide as they leaves none to read. */
const DEFAULT_MAX = 12;

function parameterRow({ name, about, unit, default: own }: (typeof WORKLOADS)[number]['parameters'][number]): string[] {
  const text = `${own}`;
  return text.length <= DEFAULT_MAX ? [name, text, unit, about] : [name, '', unit, `${about}: ${text}`];
}

function scenarios(): { readonly name: string; readonly shows: string }[] {
  const scripts = Object.entries(MACHINE_SCENARIOS).map(([name, { shows }]) => ({ name, shows }));
  return [...scripts, ...builtInScenarios().map(({ name, about }) => ({ name, shows: about }))];
}

function scenarioLines(): string[] {
  return columns(
    scenarios().map(({ name, shows }) => [name, shows]),
    'l',
  );
}

function allocatorLines(): string[] {
  return columns(
    MODELS.map((m) => [m.name, m.versions.join(', '), m.about]),
    'l',
  );
}

function optionLines(options: readonly OptionDescriptor[], version: string): string[] {
  return columns(
    options.map((o) => [o.name, defaultText(o, version), o.unit, o.about]),
    'lrll',
  );
}

function defaultText(option: OptionDescriptor, version: string): string {
  return typeof option.default === 'function' ? `${option.default({ version, cpus: 1 })} (1 cpu)` : `${option.default}`;
}

function describeModel(model: (typeof MODELS)[number]) {
  const { name, versions, about, layered } = model;
  return {
    name,
    versions,
    about,
    layered,
    options: model.options.map((o) => ({ ...o, default: defaultText(o, versions[0]!) })),
  };
}
