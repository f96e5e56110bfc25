/** Whether a text is a scenario of this kind rather than a script of commands. */
export const looksLikeScenario = (text: string): boolean =>
  /^(?:machine|pools|duration|requests|services)\s*:/m.test(text);
