import type { Argv, CommandModule } from 'yargs';
import { MODELS } from '../../allocators/index.ts';
import type { OptionDescriptor } from '../../allocators/model.ts';
import { builtInScenarios } from '../../fleet/index.ts';
import { MACHINE_SCENARIOS } from '../../machine/scenarios/index.ts';
import { columns } from '../../sim/contract/format.ts';
import { WORKLOADS } from '../../workloads/index.ts';
import { terminalWidth } from '../cli/width.ts';
import { fitWidth } from '../report/text/fold.ts';

interface ListArguments {
  what: 'workloads' | 'allocators' | 'options' | 'scenarios' | undefined;
  json: boolean;
}

export const listCommand: CommandModule<object, ListArguments> = {
  command: 'list [what]',
  describe: 'what there is: workloads, allocators, options, scenarios of machines',
  builder: (yargs: Argv) =>
    yargs
      .positional('what', {
        choices: ['workloads', 'allocators', 'options', 'scenarios'] as const,
        describe: 'only this; all without it',
      })
      .option('json', { type: 'boolean', default: false, describe: 'as JSON' }) as unknown as Argv<ListArguments>,
  handler: ({ what, json }) => {
    const wants = (part: string) => what === undefined || what === part;
    if (json) {
      const all = {
        workloads: WORKLOADS.map(({ generate: _, ...rest }) => rest),
        allocators: MODELS.map(describeModel),
        scenarios: scenarios(),
      };
      process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
      return;
    }
    const lines: string[] = [];
    if (wants('workloads')) lines.push('Workloads (name:parameter=value,…)', ...workloadLines());
    if (wants('allocators'))
      lines.push('', 'Allocators (name[@version][:option=value,…][+below])', ...allocatorLines());
    if (wants('options'))
      for (const model of MODELS)
        lines.push('', `Options of ${model.name}`, ...optionLines(model.options, model.versions[0]!));
    if (wants('scenarios')) lines.push('', 'Scenarios (sim machine NAME)', ...scenarioLines());
    process.stdout.write(fitWidth(`${lines.join('\n').trimStart()}\n`, terminalWidth()));
  },
};

function workloadLines(): string[] {
  return WORKLOADS.flatMap((w) => [
    `  ${w.name}  ${w.about}`,
    ...columns(
      w.parameters.map((p) => [p.name, p.about, p.unit, `${p.default}`]),
      'l',
      '      ',
    ),
  ]);
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
