import type { Argv, CommandModule } from 'yargs';
import { completionScript, SHELLS, type Shell } from '../cli/completion.ts';
import { describeCommands, type LoadableCommand } from '../cli/describe.ts';

/** Made of all commands, this one among them. */
export const completionCommand = (commands: readonly LoadableCommand[]): CommandModule<object, { shell: Shell }> => ({
  command: 'completion <shell>',
  describe: 'a script that completes commands and options',
  builder: (yargs: Argv) =>
    yargs
      .positional('shell', { choices: SHELLS, demandOption: true, describe: 'whose script' })
      .example('source <($0 completion bash)  # in ~/.bashrc', '')
      .example('$0 completion fish > ~/.config/fish/completions/allocsim.fish', '') as Argv<{ shell: Shell }>,
  handler: async ({ shell }) => {
    process.stdout.write(completionScript(shell, await describeCommands(commands)));
  },
});
