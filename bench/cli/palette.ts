import { type Palette, PLAIN } from '../report/text/palette.ts';

/** Colours on a terminal only; NO_COLOR and FORCE_COLOR are picocolors' to read. */
export async function terminalPalette(): Promise<Palette> {
  const { default: colours } = await import('picocolors');
  if (!process.stdout.isTTY || !colours.isColorSupported) return PLAIN;
  return { bold: colours.bold, dim: colours.dim, red: colours.red, yellow: colours.yellow };
}
